// RUN@DIGEST on the command line, and who is asking.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/verbs.h"
#include "ledger/state.h"
#include "promote/frozen_bundle.h"
#include "promote/promote.h"
#include "report/run_record.h"

namespace rehearse::cli {

/// Parses RUN@DIGEST. A bare RUN is kUsage in a script; at a terminal its digest is shown and the person
/// types its first digits.
Result<promote::RunAtDigest> resolve_run(const ledger::StateDir& state, const std::string& text);

report::Requester requester();

/// Prints what came of a promotion and returns its exit code: also where it cannot be printed, since the host
/// has changed, or has not, all the same.
int print_outcome(const Globals& globals, promote::Outcome outcome);

/// The run where it follows a list of paths (`--only PATH RUN`), which takes it for one more: it is the word
/// that does not begin at the root. kUsage if there is none; `word` is what --help calls it.
Result<void> find_run(std::string& run, std::initializer_list<std::vector<std::string>*> lists,
                      const char* word, const char* verb);

/// Without trailing slashes. kUsage names the option whose path does not begin at the root.
Result<std::vector<std::string>> absolute_paths(std::vector<std::string> paths, const char* option);

/// For verbs that change the host: exact modes, descriptors for deep trees, and no death by a broken pipe or
/// a closed terminal between two renames.
void prepare_process();

/// Before a verb: takes up what an interrupted promotion in `state` left, if nobody else is at it, and says
/// so on standard error. Costs two system calls when there is nothing. What cannot be recovered is said, and
/// left to the verb.
void recover_before(const std::string& state);

}  // namespace rehearse::cli
