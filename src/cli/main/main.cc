// rehearse: finds the verb, runs it, prints the one error line.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <nlohmann/json.hpp>
#include <span>

#include "base/callers_descriptors.h"
#include "base/escape.h"
#include "base/heap.h"
#include "base/inherited.h"
#include "cli/run_at.h"
#include "cli/verb_support.h"
#include "cli/verbs.h"
#include "report/writer.h"

namespace {

using namespace rehearse;

struct Verb {
  const char* name;
  const char* summary;
  Result<int> (*run)(cli::Globals&, cli::Arguments);
};

constexpr Verb kVerbs[] = {
    {"run", "rehearse a command in a clone of this host", cli::run_verb},
    {"show", "print the report of a run", cli::show_verb},
    {"explain", "print what each rule of the policy makes of a run", cli::explain_verb},
    {"diff", "print what changed inside files", cli::diff_verb},
    {"trace", "print what the action did, call by call", cli::trace_verb},
    {"export", "write what the action did for another tool", cli::export_verb},
    {"approve", "approve what a run would do", cli::approve_verb},
    {"reject", "reject what a run would do", cli::reject_verb},
    {"revoke", "take back an approval of your own", cli::revoke_verb},
    {"override", "let a run pass without approval, to be reviewed", cli::override_verb},
    {"review", "record the review of an override", cli::review_verb},
    {"standing", "approve all runs of a kind at once", cli::standing_verb},
    {"promote", "install on the host what was rehearsed", cli::promote_verb},
    {"rollback", "take back what promoting a run did", cli::rollback_verb},
    {"recover", "finish or undo an interrupted promotion", cli::recover_verb},
    {"policy", "check, test and replay the policy", cli::policy_verb},
    {"list", "list runs", cli::list_verb},
    {"rm", "remove runs", cli::rm_verb},
    {"gc", "remove old and interrupted runs", cli::gc_verb},
    {"doctor", "check what this host can do", cli::doctor_verb},
};

int help(FILE* out) {
  std::fputs(
      "rehearse: try a command in a clone of this host, read what it would do\n\nusage: rehearse VERB "
      "[OPTIONS]\n\n",
      out);
  for (const Verb& verb : kVerbs) std::fprintf(out, "  %-8s %s\n", verb.name, verb.summary);
  std::fputs("\nOptions of all verbs: --state DIR, --json, --color auto|always|never, --help, --version\n",
             out);
  return 0;
}

int report_error(const Error& error, bool json) {
  std::string line = "rehearse: " + escape_text(error.what);
  if (!error.fix.empty()) line += "; " + escape_text(error.fix);
  line += '\n';
  std::fputs(line.c_str(), stderr);
  if (json) {
    const nlohmann::json document = {{"schema", "rehearse.error/1"},
                                     {"error", to_utf8_lossy(error.what)},
                                     {"fix", to_utf8_lossy(error.fix)},
                                     {"exit", static_cast<int>(error.exit)}};
    std::puts(document.dump().c_str());
  }
  return static_cast<int>(error.exit);
}

/// A privileged program must not find its own files on descriptors 0 to 2 (a caller may have closed them).
/// What is written to a closed standard output stays an error: nobody is to believe that he got a document.
void occupy_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
      ::_exit(1);
  }
}

/// What stdio still holds may be all there is to say; of an error, the line is said already.
int flush_output(int code) {
  if ((std::fflush(stdout) == 0 && std::ferror(stdout) == 0) || code != 0) return code;
  const Error error = report::standard_output_error(errno);
  std::fprintf(stderr, "rehearse: %s; %s\n", error.what.c_str(), error.fix.c_str());
  return static_cast<int>(error.exit);
}

/// The state directory that the line names, as the verbs understand it.
std::string state_named(int argc, char** argv) {
  std::string state = cli::Globals().state;
  for (int i = 1; i < argc && std::strcmp(argv[i], "--") != 0; ++i) {
    const std::string_view word(argv[i]);
    if (word == "--state" && i + 1 < argc) state = argv[i + 1];
    if (word.starts_with("--state=")) state = word.substr(8);
  }
  return state;
}

bool takes_value(const char* option) {
  return std::strcmp(option, "--state") == 0 || std::strcmp(option, "--color") == 0;
}

/// An option of every verb, which may stand before it.
bool is_global(std::string_view option) {
  const std::string_view name = option.substr(0, option.find('='));
  return name == "--state" || name == "--color" || option == "--json";
}

int dispatch(int argc, char** argv) {
  // Global options may stand before the verb: hand them on to it.
  cli::Arguments arguments;
  int at = 1;
  for (; at < argc && argv[at][0] == '-'; ++at) {
    if (std::strcmp(argv[at], "--help") == 0 || std::strcmp(argv[at], "-h") == 0) return help(stdout);
    if (std::strcmp(argv[at], "--version") == 0) {
      std::puts("rehearse " REHEARSE_VERSION);
      return 0;
    }
    arguments.emplace_back(argv[at]);
    if (takes_value(argv[at]) && at + 1 < argc) arguments.emplace_back(argv[++at]);
  }
  const bool json = std::any_of(argv + 1, argv + std::min(argc, 64),
                                [](const char* word) { return std::strcmp(word, "--json") == 0; });
  if (at >= argc) {
    const auto unknown = std::ranges::find_if(
        arguments, [](const std::string& word) { return word.starts_with('-') && !is_global(word); });
    const std::string what =
        unknown == arguments.end() ? "no verb given" : "unknown option \"" + *unknown + "\"";
    return report_error(fail(what, ExitCode::kUsage, "see `rehearse --help`").value(), json);
  }
  const auto* verb = std::find_if(std::begin(kVerbs), std::end(kVerbs),
                                  [&](const Verb& v) { return std::strcmp(v.name, argv[at]) == 0; });
  if (verb == std::end(kVerbs)) {
    return report_error(
        fail("unknown verb \"" + std::string(argv[at]) + "\"", ExitCode::kUsage, "see `rehearse --help`")
            .value(),
        json);
  }
  arguments.insert(arguments.end(), argv + at + 1, argv + argc);
  cli::Globals globals;
  if (verb->run != cli::recover_verb) cli::recover_before(state_named(argc, argv));
  auto code = verb->run(globals, std::move(arguments));
  if (code) return *code;
  return report_error(cli::advised(std::move(code).error(), globals), json);
}

}  // namespace

int main(int argc, char** argv) {
  note_callers_descriptors();
  occupy_standard_descriptors();
  raise_limits();
  prepare_heap();
  try {
    return flush_output(dispatch(argc, argv));
  } catch (
      const std::exception& error) {  // of the libraries, and no memory: what was begun is undone on the way
    std::fputs("rehearse: ", stderr);
    for (const char* c = error.what(); *c != '\0'; ++c) std::fputc(*c >= ' ' && *c <= '~' ? *c : '?', stderr);
    std::fputc('\n', stderr);
    return static_cast<int>(ExitCode::kFailure);
  }
}
