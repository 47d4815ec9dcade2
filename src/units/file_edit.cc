#include "units/file_edit.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "units/unit_name.h"

namespace rehearse::units {
namespace {

/// What follows the list of files.
enum class Tail { kNone, kRuntime, kRuntimeForce, kModeRuntimeForce, kFlags, kDependency };

struct Member {
  std::string_view name;
  std::string_view verb;
  std::string_view signature;
  Tail tail;
  bool carries_install_info;
};

constexpr std::array<Member, 14> kMembers = {{
    {"EnableUnitFiles", "enable", "asbb", Tail::kRuntimeForce, true},
    {"EnableUnitFilesWithFlags", "enable", "ast", Tail::kFlags, true},
    {"DisableUnitFiles", "disable", "asb", Tail::kRuntime, false},
    {"DisableUnitFilesWithFlags", "disable", "ast", Tail::kFlags, false},
    {"DisableUnitFilesWithFlagsAndInstallInfo", "disable", "ast", Tail::kFlags, true},
    {"ReenableUnitFiles", "reenable", "asbb", Tail::kRuntimeForce, true},
    {"LinkUnitFiles", "link", "asbb", Tail::kRuntimeForce, false},
    {"PresetUnitFiles", "preset", "asbb", Tail::kRuntimeForce, true},
    {"PresetUnitFilesWithMode", "preset", "assbb", Tail::kModeRuntimeForce, true},
    {"MaskUnitFiles", "mask", "asbb", Tail::kRuntimeForce, false},
    {"UnmaskUnitFiles", "unmask", "asb", Tail::kRuntime, false},
    {"RevertUnitFiles", "revert", "as", Tail::kNone, false},
    {"AddDependencyUnitFiles", "add-wants", "asssbb", Tail::kDependency, false},
    {"PresetAllUnitFiles", "preset-all", "sbb", Tail::kModeRuntimeForce, false},
}};
constexpr std::string_view kSetDefault = "SetDefaultTarget";
constexpr std::string_view kSetDefaultSignature = "sb";

/// Of the ...WithFlags members.
constexpr std::uint64_t kFlagRuntime = 1;
constexpr std::uint64_t kFlagForce = 2;

const Member* find_member(std::string_view name) {
  const auto* found =
      std::find_if(kMembers.begin(), kMembers.end(), [&](const Member& m) { return m.name == name; });
  return found == kMembers.end() ? nullptr : found;
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

/// What stands in `line` between `before` and `after`, if it has that form. `before` may stand anywhere.
std::optional<std::string> between(std::string_view line, std::string_view before, std::string_view after) {
  const std::size_t at = line.find(before);
  if (at == std::string_view::npos || !line.ends_with(after)) return std::nullopt;
  const std::size_t begin = at + before.size();
  if (begin + after.size() > line.size()) return std::nullopt;
  return std::string(line.substr(begin, line.size() - after.size() - begin));
}

/// One line of an error in the client's words, in the manager's.
struct Translation {
  std::string_view before;
  std::string_view after;
  std::string_view name;
  std::string_view text;  ///< {} stands for what was between
};
constexpr std::array<Translation, 11> kTranslations = {{
    {" unit, unit ", " does not exist.", bus_error::kNoSuchUnit, "Unit file {} does not exist."},
    {" unit, unit ", " is masked.", bus_error::kUnitMasked, "Unit file {} is masked."},
    {" unit, unit ", " is transient or generated.", bus_error::kUnitGenerated,
     "Unit {} is transient or generated."},
    {" unit, file ", " is under the systemd unit hierarchy already.", "org.freedesktop.systemd1.UnitBadPath",
     "File {} is under the systemd unit hierarchy already."},
    {", destination unit ", " is a non-template unit.", bus_error::kBadUnitSetting,
     "Destination unit {} is a non-template unit."},
    {" unit, \"", "\" is not a valid unit name.", bus_error::kBadUnitSetting,
     "\"{}\" is not a valid unit name."},
    {" unit, refusing to operate on linked unit file ", ".", bus_error::kUnitLinked,
     "Refusing to operate on alias name or linked unit file: {}"},
    {" unit, invalid specifier in \"", "\".", bus_error::kBadUnitSetting, "Invalid specifier in {}."},
    {" unit, invalid unit reference \"", "\".", bus_error::kBadUnitSetting, "Invalid unit reference {}."},
    {" unit, cannot alias ", ".", bus_error::kBadUnitSetting, "Cannot alias {}."},
    {" unit, cannot resolve specifiers in \"", "\".", bus_error::kBadUnitSetting,
     "Cannot resolve specifiers in {}."},
}};

constexpr std::string_view kFailed = "Failed to ";

BusError translate(std::string_view line) {
  if (const auto pair = between(line, " unit, file \"", "\".")) {
    constexpr std::string_view kLink = "\" already exists and is a symlink to \"";
    if (const std::size_t at = pair->find(kLink); at != std::string::npos) {
      return {std::string(bus_error::kUnitExists),
              fmt::format("File {} already exists and is a symlink to {}.", pair->substr(0, at),
                          pair->substr(at + kLink.size()))};
    }
  }
  if (const auto file = between(line, " unit, file \"", "\" already exists.")) {
    return {std::string(bus_error::kUnitExists), fmt::format("File {} already exists.", *file)};
  }
  for (const Translation& known : kTranslations) {
    const auto what = between(line, known.before, known.after);
    if (!what) continue;
    const std::size_t gap = known.text.find("{}");
    return {std::string(known.name),
            fmt::format("{}{}{}", known.text.substr(0, gap), *what, known.text.substr(gap + 2))};
  }
  if (line.ends_with(": No such file or directory")) {
    return {std::string(bus_error::kFileNotFound), "No such file or directory"};
  }
  const std::size_t reason = line.rfind(": ");
  return {std::string(bus_error::kFailed),
          std::string(reason == std::string_view::npos ? line : line.substr(reason + 2))};
}

/// The first line that begins as systemctl's errors do, else the last line there is.
tl::unexpected<BusError> failed(const EditAnswer& answer) {
  std::string_view text = answer.err;
  std::string_view chosen;
  while (!text.empty() && !chosen.starts_with(kFailed)) {
    const std::string_view line = next_line(text);
    if (!line.empty()) chosen = line;
  }
  if (answer.exit < 0 || chosen.empty()) {
    // Who has not let it run, or end, has said why last.
    for (std::string_view rest = answer.err; !rest.empty();) {
      const std::string_view line = next_line(rest);
      if (!line.empty()) chosen = line;
    }
    return refuse(bus_error::kFailed, fmt::format("systemctl could not be run in the rehearsal's clone{}{}",
                                                  chosen.empty() ? "" : ": ", chosen));
  }
  return tl::make_unexpected(translate(chosen));
}

/// The change that a line tells of: type, path, source.
std::optional<std::array<std::string, 3>> parse_change(std::string_view line) {
  using Change = std::array<std::string, 3>;
  if (const auto link = between(line, "Created symlink ", ".")) {
    for (const std::string_view arrow : {" \u2192 ", " -> "}) {
      const std::size_t at = link->find(arrow);
      if (at == std::string::npos) continue;
      // 255 and newer quote both.
      const auto plain = [](std::string_view path) {
        return std::string(path.size() >= 2 && path.front() == '\'' && path.back() == '\''
                               ? path.substr(1, path.size() - 2)
                               : path);
      };
      return Change{"symlink", plain(std::string_view(*link).substr(0, at)),
                    plain(std::string_view(*link).substr(at + arrow.size()))};
    }
  }
  if (const auto path = between(line, "Removed \"", "\".")) return Change{"unlink", *path, ""};
  if (const auto path = between(line, "Removed '", "'.")) return Change{"unlink", *path, ""};
  if (const auto unit = between(line, "Unit ", " is masked, ignoring.")) return Change{"masked", *unit, ""};
  if (const auto unit = between(line, "Unit ", " is an alias to a unit that is not present, ignoring.")) {
    return Change{"dangling", *unit, ""};
  }
  if (const auto pair = between(line, "Unit ", ".")) {
    constexpr std::string_view kMiddle = " is added as a dependency to a non-existent unit ";
    if (const std::size_t at = pair->find(kMiddle); at != std::string::npos) {
      return Change{"destination not present", pair->substr(at + kMiddle.size()), pair->substr(0, at)};
    }
  }
  if (const auto unit = between(line, "Failed to enable auxiliary unit ", ", ignoring.")) {
    return Change{"auxiliary unit failed", *unit, ""};
  }
  return std::nullopt;
}

}  // namespace

std::string_view file_edit_signature(std::string_view member) {
  if (member == kSetDefault) return kSetDefaultSignature;
  const Member* found = find_member(member);
  return found != nullptr ? found->signature : std::string_view();
}

std::optional<FileEdit> parse_file_edit(const Message& call) {
  DbusReader reader = call.reader();
  FileEdit edit;
  if (call.member == kSetDefault) {
    edit.request = "set-default";
    edit.files.emplace_back(reader.string());
    edit.words = {"set-default"};
    if (reader.boolean()) edit.words.emplace_back("--force");
    edit.words.emplace_back("--");
    edit.words.push_back(edit.files.front());
    return edit;
  }
  const Member* member = find_member(call.member);
  if (member == nullptr) return std::nullopt;
  edit.request = member->verb;
  edit.carries_install_info = member->carries_install_info;
  if (member->signature.starts_with("as")) edit.files = reader.strings();
  std::string mode;
  std::string target;
  bool runtime = false;
  bool force = false;
  if (member->tail == Tail::kDependency) {
    target = reader.string();
    if (reader.string() == "Requires") edit.request = "add-requires";
  }
  if (member->tail == Tail::kModeRuntimeForce) mode = reader.string();
  if (member->tail == Tail::kFlags) {
    const std::uint64_t flags = reader.uint64();
    runtime = (flags & kFlagRuntime) != 0;
    force = (flags & kFlagForce) != 0;
  } else if (member->tail != Tail::kNone) {
    runtime = reader.boolean();
    force = member->tail != Tail::kRuntime && reader.boolean();
  }
  edit.words = {edit.request};
  if (!mode.empty()) edit.words.push_back("--preset-mode=" + mode);
  if (runtime) edit.words.emplace_back("--runtime");
  if (force) edit.words.emplace_back("--force");
  edit.words.emplace_back("--");
  if (!target.empty()) edit.words.push_back(target);
  edit.words.insert(edit.words.end(), edit.files.begin(), edit.files.end());
  return edit;
}

BusResult<EditReply> edit_reply(const FileEdit& edit, const EditAnswer& answer) {
  if (answer.exit != 0) return failed(answer);
  bool carries = true;
  DbusWriter changes;
  if (edit.carries_install_info) {
    carries = answer.err.find("have no installation config") == std::string::npos;
    changes.boolean(carries);
  }
  const DbusWriter::Array array = changes.open_array('(');
  std::string_view text = answer.err;
  bool good = false;
  bool bad = false;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    const auto change = parse_change(line);
    good = good || change;
    bad = bad || (!change && line.starts_with(kFailed));
    if (!change) continue;
    changes.open_struct();
    for (const std::string& field : *change) changes.string(field);
  }
  changes.close_array(array);
  // What the client passes over, the manager gives as an error if nothing else was done.
  if (bad && !good) return failed(answer);
  return EditReply{edit.carries_install_info ? "ba(sss)" : "a(sss)", changes.take()};
}

BusResult<std::string> enabled_state(const EditAnswer& answer) {
  std::string_view text = answer.out;
  std::string_view line = next_line(text);
  const std::string_view word = next_word(line);
  const bool state = !word.empty() && word.size() < 32 &&
                     word.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string_view::npos;
  if (answer.exit < 0 || !state || word == "not-found") {
    if (word == "not-found") return refuse(bus_error::kFileNotFound, "No such file or directory");
    return failed(answer);
  }
  return std::string(word);
}

BusResult<std::string> default_target(const EditAnswer& answer) {
  std::string_view text = answer.out;
  const std::string_view name = next_line(text);
  if (answer.exit != 0 || !is_unit_name(name)) return failed(answer);
  return std::string(name);
}

std::vector<std::string> installed_links(const EditAnswer& answer) {
  std::vector<std::string> links;
  std::string_view text = answer.out;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (line.starts_with("  /")) links.emplace_back(line.substr(2));
  }
  return links;
}

std::vector<ListedFile> listed_files(const EditAnswer& answer) {
  std::vector<ListedFile> files;
  std::string_view text = answer.out;
  while (answer.exit == 0 && !text.empty()) {
    std::string_view line = next_line(text);
    const std::string_view name = next_word(line);
    const std::string_view state = next_word(line);
    const std::string_view preset = next_word(line);
    if (!is_unit_name(name) || state.empty()) continue;
    files.push_back(
        {std::string(name), std::string(state), preset == "-" ? std::string() : std::string(preset)});
  }
  return files;
}

}  // namespace rehearse::units
