#include "verdict/failure.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <set>

#include "base/ascii.h"
#include "base/units.h"
#include "verdict/blame.h"

namespace rehearse::verdict {
namespace {

constexpr std::size_t kMostEvidence = 12;  ///< of a finding
constexpr int kTimeoutExit = 124;          ///< timeout(1)
constexpr int kNotFoundExit = 127;         ///< sh(1)

constexpr std::size_t kMostLookups = 200;  ///< of names in the output

/// What programs say of an error, whoever they are: strerror(3) in the language of C. The clone's action is
/// mostly run in it.
struct ErrorWords {
  int error;
  std::string_view words;
};
constexpr ErrorWords kErrorWords[] = {{ENOENT, "no such file or directory"},
                                      {ENOTDIR, "not a directory"},
                                      {EACCES, "permission denied"},
                                      {EPERM, "operation not permitted"},
                                      {EROFS, "read-only file system"},
                                      {ENOSPC, "no space left on device"},
                                      {EDQUOT, "disk quota exceeded"},
                                      {EEXIST, "file exists"},
                                      {EISDIR, "is a directory"},
                                      {ENOTEMPTY, "directory not empty"},
                                      {ETXTBSY, "text file busy"},
                                      {EBUSY, "device or resource busy"},
                                      {EXDEV, "invalid cross-device link"},
                                      {ELOOP, "too many levels of symbolic links"},
                                      {EINVAL, "invalid argument"},
                                      {ENAMETOOLONG, "file name too long"},
                                      {EIO, "input/output error"}};

/// The line is about another error than this one: it is not this call's.
bool speaks_of_another(std::string_view line, int error) {
  const std::string text = ascii_lower(line);
  bool another = false;
  for (const ErrorWords& one : kErrorWords) {
    if (text.find(one.words) == std::string::npos) continue;
    if (one.error == error) return false;
    another = true;
  }
  return another;
}

bool speaks_of_trouble(std::string_view line) {
  static constexpr std::string_view kTrouble[] = {
      "no such file", "not found",       "nonexistent", "denied",         "not permitted",
      "cannot",       "can't",           "could not",   "couldn't",       "unable",
      "failed",       "missing",         "error",       "does not exist", "doesn't exist",
      "read-only",    "not a directory", "no space",    "quota"};
  const std::string text = ascii_lower(line);
  return std::ranges::any_of(kTrouble, [&](auto word) { return text.find(word) != std::string::npos; });
}

bool is_name_character(char c) {
  return is_ascii_letter(c) || is_ascii_digit(c) || c == '_' || c == '-';
}

/// Whether one of the places from `at` on where `name` stands in the line means it.
bool names(std::string_view line, std::size_t at, std::string_view name, std::string_view spelled) {
  if (spelled.size() > name.size() && line.find(spelled) != std::string_view::npos) return true;
  for (; at != std::string_view::npos && at < line.size(); at = line.find(name, at + 1)) {
    const std::size_t after = at + name.size();
    const bool begins = at == 0 || (!is_name_character(line[at - 1]) && line[at - 1] != '.');
    const bool ends = after >= line.size() || !is_name_character(line[after]);
    const bool is_program = at == 0 && after < line.size() && line[after] == ':';
    if (begins && ends && !is_program) return true;
  }
  return false;
}

/// What a line calls the path by: its last part, where it has one.
std::string_view short_name(std::string_view spelled) {
  const std::size_t slash = spelled.rfind('/');
  if (slash != std::string_view::npos && slash + 1 < spelled.size()) spelled.remove_prefix(slash + 1);
  return spelled;
}

bool is_named(std::string_view line, std::string_view spelled) {
  const std::string_view name = short_name(spelled);
  const std::size_t at = name.empty() ? std::string_view::npos : line.find(name);
  return at != std::string_view::npos && names(line, at, name, spelled);
}

std::string last_part(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

/// What is gathered of one kind.
struct Gathered {
  std::vector<Evidence> evidence;
  std::set<std::pair<std::string, std::string>> known;
  std::vector<std::string> paths = {};  ///< of calls, as they were spelled
  std::string fix;
};

class Classifier {
 public:
  Classifier(const FailureFacts& facts, const FailurePatterns& patterns)
      : facts_(facts),
        blame_(facts.processes),
        failed_(facts.exit.value_or(0) != 0 || facts.signal || facts.timed_out ||
                !facts.start_error.empty()) {
    for (const std::string_view output : {facts.err, facts.out}) {
      for (SaidFailure& said : patterns.find(output)) said_.push_back(std::move(said));
      if (!failed_) break;  // what a command that ended well printed is its result
    }
    for (const RanProcess& process : facts_.processes) {
      ran_.insert(process.program);
      if (!process.called.empty()) ran_.insert(process.called);
    }
    for (const SaidFailure& said : said_) {
      if (said.pattern->kind == FailureKind::kMissingCommand && !said.pattern->needs_call)
        missing_commands_.insert(last_part(said.subject));
    }
  }

  std::vector<Finding> run() {
    by_checks();
    by_ending();
    by_processes();
    by_calls();
    by_endpoints();
    by_units();
    by_words();
    return findings();
  }

 private:
  void add(FailureKind kind, const char* evidence, std::string text) {
    Gathered& gathered = kinds_[kind];
    if (gathered.evidence.size() >= kMostEvidence || !gathered.known.emplace(evidence, text).second) return;
    gathered.evidence.push_back({evidence, std::move(text)});
  }
  [[nodiscard]] std::string name(std::uint32_t id) const {
    const RanProcess* process = blame_.find(id);
    return '[' + std::to_string(id) + ']' + (process == nullptr ? "" : ' ' + process->program);
  }
  void add_process(FailureKind kind, const RanProcess& process) {
    std::string text = name(process.id);
    if (process.signal) {
      const char* signal = ::sigabbrev_np(*process.signal);
      text +=
          signal != nullptr ? std::string(": SIG") + signal : ": signal " + std::to_string(*process.signal);
    } else {
      text += ": exit " + std::to_string(process.exit.value_or(0));
    }
    add(kind, "process", std::move(text));
  }

  /// Those that the validator names, or else the first of them.
  void add_files(const ConfigCheck& check) {
    constexpr std::size_t kMostFiles = 5;
    std::vector<std::string> named;
    for (const std::string& file : check.files)
      if (check.said.find(file) != std::string::npos) named.push_back(file);
    const auto& files = named.empty() ? check.files : named;
    for (std::size_t i = 0; i < std::min(files.size(), kMostFiles); ++i)
      add(FailureKind::kConfigInvalid, "file", files[i]);
  }

  void by_checks() {
    for (const ConfigCheck& check : facts_.checks) {
      if (check.valid) continue;
      add(FailureKind::kConfigInvalid, "command", check.command);
      add(FailureKind::kConfigInvalid, "said", check.said);
      if (check.valid_before == false)
        add(FailureKind::kConfigInvalid, "before", "was invalid before: " + check.said_before);
      if (check.valid_before == true) add(FailureKind::kConfigInvalid, "before", "was valid before");
      add_files(check);
      kinds_[FailureKind::kConfigInvalid].fix =
          check.valid_before == false
              ? "It was invalid before the command, too: see whether that is the same fault, and "
                "correct the file on the host."
          : check.valid_before == true
              ? "Correct what the command writes: without its changes the file is valid."
              : "Correct the file. Whether it was valid before is not known.";
    }
  }

  void by_ending() {
    if (!facts_.start_error.empty()) {
      const FailureKind kind = facts_.start_errno == ENOENT ? FailureKind::kMissingCommand
                               : facts_.start_errno == EACCES || facts_.start_errno == EPERM
                                   ? FailureKind::kPermissionDenied
                               : facts_.start_errno == ENOTDIR ? FailureKind::kNotADirectory
                                                               : FailureKind::kMissingFile;
      add(kind, "command", facts_.start_error);
    }
    if (facts_.timed_out)
      add(FailureKind::kTimeout, "limit", "the rehearsal's own, after " + format_duration(facts_.wall_ns));
    for (const std::string& limit : facts_.limits_hit) {
      if (limit.starts_with("memory ")) add(FailureKind::kKilled, "limit", limit);
      if (limit.starts_with("disk space") || limit.starts_with("free space"))
        add(FailureKind::kDiskFull, "limit", limit);
    }
  }

  void by_processes() {
    for (const RanProcess& process : facts_.processes) {
      const RanProcess* parent = blame_.find(process.parent);
      const bool blamed = blame_.has(process.id);
      if (process.program == "timeout" && process.exit == kTimeoutExit) {
        if (blamed) add_process(FailureKind::kTimeout, process);
        continue;
      }
      if (!process.signal || facts_.timed_out) continue;
      if (parent != nullptr && parent->program == "timeout") continue;
      const int signal = *process.signal;
      if (facts_.ended_here && signal == SIGKILL) continue;  // the limit, or who asked for it, is named
      const bool crash = signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGILL ||
                         signal == SIGFPE || signal == SIGSYS;
      if (crash || (blamed && signal != SIGPIPE)) add_process(FailureKind::kKilled, process);
    }
    if (!facts_.traced && facts_.signal && !facts_.timed_out && !facts_.ended_here) {
      const char* signal = ::sigabbrev_np(*facts_.signal);
      add(FailureKind::kKilled, "command", std::string("killed by SIG") + (signal == nullptr ? "?" : signal));
    }
  }

  /// Whether the output has a line that speaks of the name and of trouble: as it was spelled, or its last
  /// part as a word that does not begin the line, where programs put their own name. The last part alone is
  /// not enough where it is the name of a program that ran, which was looked for in several directories; and
  /// of a socket it has to be more than a plain word ("socket", "log").
  /// `error`: that it failed with; a line that says another error is about another call.
  [[nodiscard]] bool said(std::string_view spelled, int error, bool is_socket = false) {
    if (++looked_up_ > kMostLookups || spelled.empty()) return false;
    std::string_view name = short_name(spelled);
    // No line has a name in it that has a newline in it.
    if (name.size() < 2 || name.find('\n') != std::string_view::npos) return false;
    const bool says_little = (name.size() < spelled.size() && ran_.contains(name)) ||
                             (is_socket && std::ranges::all_of(name, is_ascii_letter));
    if (says_little) name = spelled;
    for (std::string_view output : {facts_.err, facts_.out}) {
      if (output.size() > kMostScanned) output.remove_prefix(output.size() - kMostScanned);
      std::size_t end = 0;  // of the line
      for (std::size_t at = output.find(name); at != std::string_view::npos; at = output.find(name, end)) {
        const std::size_t before = output.rfind('\n', at);
        const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
        end = std::min(output.find('\n', at), output.size());
        const std::string_view line = output.substr(begin, std::min(end - begin, kLongestLine));
        if (names(line, at - begin, name, spelled) && speaks_of_trouble(line) &&
            (error == 0 || !speaks_of_another(line, error)))
          return true;
      }
    }
    return false;
  }

  static std::optional<FailureKind> kind_of(const FailedCall& call) {
    switch (call.error) {
      case EACCES:
      case EPERM:
      case EROFS:
        return FailureKind::kPermissionDenied;
      case ENOENT:
        return call.executes ? FailureKind::kMissingCommand : FailureKind::kMissingFile;
      case ENOTDIR:
        return call.executes ? FailureKind::kMissingCommand : FailureKind::kNotADirectory;
      case ENOSPC:
      case EDQUOT:
        return FailureKind::kDiskFull;
      default:
        return std::nullopt;
    }
  }

  void add_call(FailureKind kind, const FailedCall& call) {
    const char* error = ::strerrorname_np(call.error);
    const std::string what = name(call.process) + ": " + call.call + ": " +
                             (error == nullptr ? std::to_string(call.error) : std::string(error));
    const std::string& path = call.path.empty() ? call.spelled : call.path;
    if (!path.empty()) add(kind, "file", path);
    add(kind, "process", what);
    kinds_[kind].paths.push_back(call.spelled);
  }

  void by_calls() {
    std::map<std::uint32_t, const FailedCall*> last_refused;  // by process
    std::set<std::uint32_t> told;
    std::map<std::pair<std::uint32_t, FailureKind>, int> listed;
    // The last ones are nearest to the end that they led to.
    for (auto call = facts_.calls.rbegin(); call != facts_.calls.rend(); ++call) {
      auto kind = kind_of(*call);
      if (!kind) continue;
      // A shell looks for a command before it executes one.
      if ((kind == FailureKind::kMissingFile || kind == FailureKind::kNotADirectory) &&
          missing_commands_.contains(last_part(call->spelled)))
        kind = FailureKind::kMissingCommand;
      if (*kind == FailureKind::kDiskFull) {
        add_call(*kind, *call);
        continue;
      }
      if (!failed_ || !blame_.has(call->process)) continue;
      if (*kind == FailureKind::kPermissionDenied && !call->asks) last_refused.emplace(call->process, &*call);
      if (!said(call->spelled, call->error)) continue;
      constexpr int kMostOfOne = 3;
      if (++listed[{call->process, *kind}] > kMostOfOne) continue;
      told.insert(call->process);
      add_call(*kind, *call);
    }
    // A program that says nothing of what failed it: what it was refused counts without words.
    for (const auto& [process, call] : last_refused) {
      if (!told.contains(process) && said_.empty()) add_call(FailureKind::kPermissionDenied, *call);
    }
  }

  void by_endpoints() {
    for (const RefusedEndpoint& endpoint : facts_.endpoints) {
      const RanProcess* process = blame_.find(endpoint.process);
      const bool counts = failed_ ? blame_.near(endpoint.process) : process != nullptr && process->failed();
      if (!counts || (!endpoint.path.empty() && !said(endpoint.path, 0, true))) continue;
      add(FailureKind::kDependencyUnreachable, "network", name(endpoint.process) + ": " + endpoint.text);
    }
  }

  void by_units() {
    for (const RefusedUnit& unit : facts_.units)
      add(FailureKind::kServiceFailed, "unit", name(unit.process) + ": " + unit.text);
  }

  /// Whether a call failed so; of names that were looked for, one that the line is about.
  [[nodiscard]] bool has_call(FailureKind kind, const std::string& line) const {
    const auto found = kinds_.find(kind);
    if (found == kinds_.end() || found->second.evidence.empty()) return false;
    const std::vector<std::string>& paths = found->second.paths;
    if (kind == FailureKind::kDiskFull || paths.empty()) return true;
    return std::ranges::any_of(paths, [&](const std::string& path) { return is_named(line, path); });
  }

  void by_words() {
    for (const SaidFailure& line : said_) {
      const FailurePattern& pattern = *line.pattern;
      if (!failed_ && !pattern.strong) continue;
      const bool needs_call =
          pattern.needs_call || (pattern.kind == FailureKind::kDiskFull && facts_.full_device);
      if (needs_call && facts_.traced && !has_call(pattern.kind, line.line)) continue;
      if (!line.subject.empty() && !pattern.subject.empty())
        add(pattern.kind, pattern.subject.c_str(), line.subject);
      add(pattern.kind, "said", line.line);
      if (std::string& fix = kinds_[pattern.kind].fix; fix.empty()) fix = pattern.fix;
    }
    // A shell that ended so and said so in a language that no pattern knows.
    if (!failed_) return;
    for (const RanProcess& process : facts_.processes) {
      if (blame_.has(process.id) && process.exit == kNotFoundExit)
        add_process(FailureKind::kMissingCommand, process);
    }
  }

  std::vector<Finding> findings() {
    std::vector<Finding> all;
    for (auto& [kind, gathered] : kinds_) {
      if (gathered.evidence.empty()) continue;
      const FailureText& text = describe(kind);
      all.push_back({"failure." + std::string(text.name), Level::kYellow,
                     failed_ || kind == FailureKind::kConfigInvalid ? "soft" : "advisory",
                     std::move(gathered.evidence), std::string(text.why),
                     gathered.fix.empty() ? std::string(text.fix) : std::move(gathered.fix)});
    }
    return all;
  }

  const FailureFacts& facts_;
  Blame blame_;
  bool failed_;
  std::vector<SaidFailure> said_;
  std::set<std::string, std::less<>> ran_;  ///< names of programs that ran
  std::set<std::string> missing_commands_;  ///< that the output names
  std::size_t looked_up_ = 0;
  std::map<FailureKind, Gathered> kinds_;
};

}  // namespace

std::vector<Finding> find_failures(const FailureFacts& facts, const FailurePatterns& patterns) {
  return Classifier(facts, patterns).run();
}

}  // namespace rehearse::verdict
