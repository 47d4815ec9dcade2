// What a run has in common with other runs of the same action: the fingerprint that a standing approval is
// about (CONVENTIONS 9).
//
// The *template* says what was asked for: action, argv with times and random names as classes, directory,
// identity, environment, network rules, mocks and what else was chosen, profile and host. The *envelope* says
// what came of it, one line an effect: programs with their digests, path patterns with what was done there,
// endpoints, units, accounts, packages, attempts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "report/run_record.h"

namespace rehearse::report {

struct Fingerprint {
  std::string action;              ///< hex digest of the template
  std::string digest;              ///< hex, of template, policy and envelope
  std::string envelope;            ///< hex digest of the lines
  std::vector<std::string> lines;  ///< sorted, each once; escaped
  std::string title;               ///< the command, for people; escaped
  std::string unclean;             ///< why the run does not count; empty: it does
};

/// `manifest_fd`, `reads_fd`: of the bundle; -1 where there is none. kDataError if one is damaged.
Result<Fingerprint> fingerprint_of(const RunRecord& record, int manifest_fd, int reads_fd);

/// "/var/log/app.<n>.log" of "/var/log/app.20261129.log": four digits and more, long hexadecimal numbers and
/// UUIDs are what differs between runs that do the same. Pure.
std::string pattern_of(std::string_view path);

/// "<time>", "<uuid>" or "<hex>" for a word that is nothing else; otherwise the word.
std::string class_of(std::string_view word);

}  // namespace rehearse::report
