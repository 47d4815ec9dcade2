#include "report/fingerprint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <climits>
#include <filesystem>
#include <set>

#include "base/digest.h"
#include "base/escape.h"
#include "effects/manifest.h"
#include "effects/read_list.h"
#include "report/network_text.h"

namespace rehearse::report {
namespace {

using effects::Change;
using effects::ChangeKind;
using effects::FileType;

constexpr std::size_t kMostLines = 20'000;
constexpr std::size_t kLeastDigits = 4;
constexpr std::size_t kLeastHex = 12;
constexpr std::string_view kVolatileNames[] = {"TERM", "COLUMNS", "LINES"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

std::size_t run_of(std::string_view text, std::size_t at, bool (*is)(char)) {
  std::size_t end = at;
  while (end < text.size() && is(text[end])) ++end;
  return end - at;
}

/// Length of a UUID (8-4-4-4-12 hexadecimal digits) that begins here, or 0.
std::size_t uuid_at(std::string_view text, std::size_t at) {
  constexpr std::size_t kGroups[] = {8, 4, 4, 4, 12};
  std::size_t pos = at;
  for (const std::size_t digits : kGroups) {
    if (digits != kGroups[0]) {
      if (pos >= text.size() || text[pos] != '-') return 0;
      ++pos;
    }
    if (run_of(text, pos, is_hex) < digits) return 0;
    pos += digits;
    if (digits == 12) break;
  }
  return pos - at;
}

void add_part(Sha256Hasher& hasher, std::string_view part) {
  hasher.update(std::to_string(part.size()) + ':');
  hasher.update(part);
}

const char* word_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kType:
      return "type";
    case ChangeKind::kCreated:
      return "created";
    case ChangeKind::kDeleted:
      return "deleted";
    case ChangeKind::kRenamed:
      return "renamed";
    case ChangeKind::kModified:
      return "modified";
    case ChangeKind::kMetadata:
      return "metadata";
    case ChangeKind::kIdentical:
      return "identical";
  }
  return "?";
}

/// With the content's digest where the content can be executed: what is new there is another effect.
std::string line_of(const Change& change) {
  std::string line = fmt::format("file {} {}", word_of(change.kind), static_cast<int>(change.type));
  if (change.after) {
    line += fmt::format(" {:04o} {}:{}", change.after->mode, change.after->uid, change.after->gid);
    if (change.type == FileType::kFile && (change.after->mode & 0111) != 0 && change.after->sha256)
      line += ' ' + hex(*change.after->sha256);
    if (change.type == FileType::kSymlink) line += " -> " + pattern_of(change.after->target);
    for (const auto& [name, value] : change.after->xattrs) line += ' ' + name + '=' + hex(sha256(value));
  }
  line += ' ' + pattern_of(change.path);
  if (!change.from.empty()) line += " from " + pattern_of(change.from);
  return escape_text(line);
}

std::string absolute(const std::string& cwd, const std::string& word) {
  return (std::filesystem::path(cwd) / word).lexically_normal().string();
}

/// Files that the action's command lines name, if they are files at all: scripts and the like. Names that are
/// relative are taken to be so to the directory that the action began in.
std::set<std::string> named_files(const RunRecord& record) {
  std::set<std::string> named;
  const auto name_all = [&](const std::vector<std::string>& argv) {
    for (const std::string& word : argv)
      if (!word.empty() && word.size() < PATH_MAX && named.size() <= kMostLines)
        named.insert(absolute(record.action.cwd, word));
  };
  name_all(record.action.argv);
  for (const ProcessRecord& process : record.processes) {
    name_all(process.argv);
    if (!process.script.empty()) named.insert(absolute(record.action.cwd, process.script));
  }
  return named;
}

/// Programs by their content; files that the command lines name and that were opened by their identity.
Result<void> add_reads(const RunRecord& record, int fd, std::set<std::string>& lines, std::string& unclean) {
  const std::set<std::string> named = named_files(record);
  if (named.size() > kMostLines && unclean.empty())
    unclean = fmt::format("its command lines have more than {} words", kMostLines);
  return effects::read_read_list(fd, [&](const effects::HostRead& read) {
    const auto& id = read.identity;
    const std::string identity = fmt::format("{}:{}:{}", id.ino, id.ctime_ns, id.size);
    if ((read.uses & effects::kReadExecuted) != 0)
      lines.insert(escape_text("program " + read.path + ' ' + (read.sha256 ? hex(*read.sha256) : identity)));
    else if ((read.uses & effects::kReadOpened) != 0 && named.contains(read.path))
      lines.insert(escape_text("program " + read.path + ' ' + identity));
    if (read.moved && unclean.empty()) unclean = "the host changed what it read";
    return lines.size() <= kMostLines;
  });
}

Result<void> add_changes(int fd, std::set<std::string>& lines) {
  return effects::read_manifest(fd, [&](const Change& change) {
    if (change.kind != ChangeKind::kIdentical) lines.insert(line_of(change));
    return lines.size() <= kMostLines;
  });
}

void add_rest(const RunRecord& record, std::set<std::string>& lines) {
  const auto add = [&lines](const std::string& line) { lines.insert(escape_text(line)); };
  for (const NetworkRecord& to : record.network) {
    if (to.probe || to.verdict == "absent") continue;
    // A synthetic address is another one each time; a name is what was meant.
    const std::string name = proven_name(to);
    const std::string& end = name.empty() ? to.dst : name;
    add(fmt::format("net {} {} {}:{}", to.verdict, to.proto, pattern_of(end), to.port));
  }
  for (const ListenerRecord& one : record.listeners)
    add(fmt::format("listen {} {}:{}", one.proto, one.address, one.any_port ? 0 : one.port));
  for (const UnitRecord& unit : record.units)
    if (unit.changes()) add(fmt::format("unit {} {} {}", unit.request, unit.unit, unit.mode));
  for (const effects::AccountChange& account : record.accounts)
    add(fmt::format("account {} {} {} {} {}", account.what, account.name, account.group, account.uid,
                    account.gid));
  for (const effects::PackageChange& package : record.packages)
    add(fmt::format("package {} {} {}", package.what, package.name, package.after));
  for (const AttemptRecord& attempt : record.attempts)
    add(fmt::format("attempt {} {} {}", attempt.what, attempt.result, pattern_of(attempt.detail)));
}

std::string template_digest(const RunRecord& record) {
  Sha256Hasher hasher;
  const Action& action = record.action;
  add_part(hasher, "rehearse.fingerprint/2");
  add_part(hasher, record.host_name);
  add_part(hasher, record.profile);
  add_part(hasher, action.name.value_or(""));
  add_part(hasher, action.kind.value_or(""));
  add_part(hasher, fmt::format("{}:{} {}", action.uid, action.gid, action.argv.size()));
  for (const std::string& word : action.argv) add_part(hasher, class_of(word));
  add_part(hasher, action.cwd);
  add_part(hasher, action.inputs);
  auto env = action.env;
  std::ranges::sort(env);
  for (const auto& [name, value] : env) {
    add_part(hasher, name);
    if (std::ranges::find(kVolatileNames, name) == std::end(kVolatileNames)) add_part(hasher, value);
  }
  return hex(hasher.finish());
}

std::string why_unclean(const RunRecord& record) {
  using verdict::Level;
  if (record.verdict.level == Level::kRed || record.verdict.level == Level::kInconclusive)
    return std::string("it is ") + verdict::to_string(record.verdict.level);
  if (!record.command.error.empty()) return "the command did not start";
  if (record.command.timed_out) return "the command timed out";
  if (record.command.exit.value_or(1) != 0) return "the command failed";
  if (record.command.stdin_bytes != 0) return "it was given something to read on standard input";
  if (!record.trace || !record.trace->trouble.empty() || record.trace->lost != 0)
    return "what it did was not all recorded";
  if (!record.accounts_unknown.empty() || !record.packages_unknown.empty())
    return "what it did to accounts or packages is not known";
  return {};
}

}  // namespace

std::string pattern_of(std::string_view path) {
  std::string out;
  for (std::size_t at = 0; at < path.size();) {
    const bool starts = at == 0 || !std::isalnum(static_cast<unsigned char>(path[at - 1]));
    const std::size_t uuid = starts ? uuid_at(path, at) : 0;
    const std::size_t hexes = starts ? run_of(path, at, is_hex) : 0;
    const std::size_t digits = run_of(path, at, is_digit);
    const bool long_hex =
        hexes >= kLeastHex && std::ranges::any_of(path.substr(at, hexes), is_digit) && hexes > digits;
    if (uuid != 0) {
      out += "<uuid>";
      at += uuid;
    } else if (long_hex) {
      out += "<hex>";
      at += hexes;
    } else if (digits >= kLeastDigits) {
      out += "<n>";
      at += digits;
    } else if (digits != 0) {
      out += path.substr(at, digits);
      at += digits;
    } else {
      out += path[at++];
    }
  }
  return out;
}

std::string class_of(std::string_view word) {
  if (!word.empty() && uuid_at(word, 0) == word.size()) return "<uuid>";
  const auto digits = static_cast<std::size_t>(std::ranges::count_if(word, is_digit));
  const bool time = digits >= 8 && is_digit(word.front()) &&
                    word.find_first_not_of("0123456789-:TZ.+") == std::string_view::npos;
  if (time) return "<time>";
  constexpr std::size_t kHexWord = 16;
  if (word.size() >= kHexWord && std::ranges::all_of(word, is_hex)) return "<hex>";
  return std::string(word);
}

Result<Fingerprint> fingerprint_of(const RunRecord& record, int manifest_fd, int reads_fd) {
  Fingerprint result;
  result.action = template_digest(record);
  result.unclean = why_unclean(record);
  std::set<std::string> lines;
  if (manifest_fd >= 0) {
    RH_CHECK(add_changes(manifest_fd, lines));
  } else if (result.unclean.empty()) {
    result.unclean = "its changes are not kept";
  }
  if (reads_fd >= 0) {
    RH_CHECK(add_reads(record, reads_fd, lines, result.unclean));
  } else if (result.unclean.empty()) {
    result.unclean = "what it executed is not kept";
  }
  add_rest(record, lines);
  if (lines.size() > kMostLines) {
    lines.clear();
    if (result.unclean.empty()) result.unclean = fmt::format("it has more than {} effects", kMostLines);
  }
  result.lines.assign(lines.begin(), lines.end());
  Sha256Hasher envelope;
  for (const std::string& line : result.lines) add_part(envelope, line);
  result.envelope = hex(envelope.finish());
  Sha256Hasher whole;
  add_part(whole, result.action);
  add_part(whole, record.verdict.policy_digest);
  add_part(whole, result.envelope);
  result.digest = hex(whole.finish());
  for (const std::string& word : record.action.argv)
    result.title += (result.title.empty() ? "" : " ") + shell_quote(class_of(word));
  if (result.title.size() > 200) result.title = escape_text(result.title, 200);
  return result;
}

}  // namespace rehearse::report
