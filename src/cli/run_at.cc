#include "cli/run_at.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <iostream>

#include "base/escape.h"
#include "base/inherited.h"
#include "base/stop_request.h"
#include "cli/promotion_report.h"
#include "cli/verb_support.h"
#include "host/identity.h"
#include "promote/lock.h"
#include "promote/recover.h"
#include "report/writer.h"

namespace rehearse::cli {

Result<promote::RunAtDigest> resolve_run(const ledger::StateDir& state, const std::string& text) {
  if (text.find('@') != std::string::npos) return promote::parse_run_at_digest(text);
  RH_TRY(const ledger::Bundle bundle, state.open_run(text));
  RH_TRY(const report::RunRecord record, bundle.read_record());
  const std::string full = bundle.id() + "@" + record.digest;
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1)
    return fail("\"" + text.substr(0, 80) + "\" names a run without its digest", ExitCode::kUsage,
                "name what you mean: " + full);
  RH_TRY(promote::RunAtDigest result, promote::parse_run_at_digest(full));
  std::fprintf(stderr, "run     %s\ndigest  %s\nType the first four digits of the digest to go on: ",
               escape_text(bundle.id()).c_str(), escape_text(record.digest).c_str());
  std::fflush(stderr);
  std::string typed;
  std::getline(std::cin, typed);
  if (typed.size() < 4 || !result.digest.starts_with(typed))
    return fail("that is not the digest of run " + bundle.id(), ExitCode::kUsage, "nothing was done");
  return result;
}

report::Requester requester() {
  const host::Requester found = host::read_requester();
  report::Requester who;
  who.uid = found.uid;
  who.loginuid = found.loginuid;
  who.sudo_uid = found.sudo_uid;
  who.attested = found.attested;
  who.tty = found.tty;
  who.unit = found.unit;
  return who;
}

int print_outcome(const Globals& globals, promote::Outcome outcome) {
  outcome.fix = with_state(std::move(outcome.fix), globals);
  report::Writer out(STDOUT_FILENO);
  out.put(globals.json ? promotion_json(outcome) : promotion_text(outcome, state_option(globals)));
  const auto printed = out.flush();
  if (printed) return static_cast<int>(outcome.exit);
  const bool stands = !outcome.dry_run && !outcome.id.empty() &&
                      (outcome.exit == ExitCode::kDone || outcome.exit == ExitCode::kDiverged);
  const std::string where =
      "; what was done stands, see: rehearse " + state_option(globals) + "show " + outcome.run;
  std::fprintf(stderr, "rehearse: the report could not be written: %s%s\n",
               escape_text(printed.error().what).c_str(), stands ? where.c_str() : "");
  return static_cast<int>(outcome.exit == ExitCode::kDone ? ExitCode::kFailure : outcome.exit);
}

Result<void> find_run(std::string& run, std::initializer_list<std::vector<std::string>*> lists,
                      const char* word, const char* verb) {
  for (std::vector<std::string>* list : lists) {
    if (!run.empty() || list->empty() || list->back().starts_with('/')) continue;
    run = std::move(list->back());
    list->pop_back();
  }
  if (!run.empty()) return {};
  return fail(std::string(word) + " is required", ExitCode::kUsage,
              std::string("see `rehearse ") + verb + " --help`");
}

Result<std::vector<std::string>> absolute_paths(std::vector<std::string> paths, const char* option) {
  for (std::string& path : paths) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    if (!path.starts_with('/'))
      return fail(std::string(option) + " wants absolute paths, not \"" + path.substr(0, 120) + "\"",
                  ExitCode::kUsage, "write it from the root on");
  }
  return paths;
}

void prepare_process() {
  ::umask(0);
  raise_limits();
  ::signal(SIGPIPE, SIG_IGN);
  stop_request::listen();
}

void recover_before(const std::string& path) {
  if (::geteuid() != 0 || ::faccessat(AT_FDCWD, (path + "/promotions").c_str(), F_OK, 0) != 0) return;
  const auto state = ledger::StateDir::open(path, ledger::Create::kNo);
  if (!state) return;
  const auto pending = promote::anything_pending(*state);
  if (!pending || !*pending) return;
  const auto lock = promote::HostLock::try_take("recovery");
  if (!lock || !*lock) return;  // it is going on
  const auto recovered = promote::recover_all(*state, **lock);
  Globals globals;
  globals.state = path;
  if (!recovered) {
    std::fprintf(stderr, "rehearse: %s; %s\n", escape_text(recovered.error().what).c_str(),
                 escape_text(with_state(recovered.error().fix, globals)).c_str());
    return;
  }
  for (const promote::Recovered& one : *recovered) {
    if (one.way == promote::Recovered::Way::kNothing) continue;
    const char* word = one.way == promote::Recovered::Way::kForward ? "was finished"
                       : one.way == promote::Recovered::Way::kBack  ? "was undone"
                                                                    : "could NOT be undone";
    std::fprintf(stderr, "rehearse: the interrupted promotion %s %s\n", escape_text(one.id).c_str(), word);
    for (const auto* notes : {&one.notes, &one.units}) {
      for (const std::string& note : *notes)
        std::fprintf(stderr, "rehearse:   %s\n", escape_text(note).c_str());
    }
    if (one.way == promote::Recovered::Way::kFailed)
      std::fprintf(stderr, "rehearse:   %s\n",
                   escape_text(with_state(promote::kRecoverAgain, globals)).c_str());
  }
}

}  // namespace rehearse::cli
