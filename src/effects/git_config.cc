#include "effects/git_config.h"

#include <algorithm>
#include <string>

#include "base/ascii.h"

namespace rehearse::effects {
namespace {

/// Section and key, without the subsection between them.
constexpr std::string_view kHarmless[] = {
    "core.repositoryformatversion",
    "core.filemode",
    "core.bare",
    "core.logallrefupdates",
    "core.ignorecase",
    "core.precomposeunicode",
    "core.symlinks",
    "core.autocrlf",
    "core.eol",
    "core.safecrlf",
    "core.quotepath",
    "remote.url",
    "remote.fetch",
    "remote.pushurl",
    "remote.tagopt",
    "remote.promisor",
    "remote.partialclonefilter",
    "remote.mirror",
    "remote.prune",
    "branch.remote",
    "branch.merge",
    "branch.rebase",
    "branch.description",
    "submodule.active",
    "submodule.url",
    "extensions.objectformat",
    "extensions.partialclone",
    "extensions.refstorage",
    "user.name",
    "user.email",
    "init.defaultbranch",
    "pull.rebase",
    "pull.ff",
    "push.default",
    "push.autosetupremote",
    "fetch.prune",
    "color.ui",
    "advice.detachedhead",
};

constexpr std::string_view kBlank = " \t\r";

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_ascii_letter(c) || is_ascii_digit(c) || c == '-';
  });
}

/// "remote" of `[remote "origin"]`; "" if it is no line of that kind, alone.
std::string section_of(std::string_view line) {
  if (!line.starts_with('[') || !line.ends_with(']')) return {};
  line = line.substr(1, line.size() - 2);
  const std::size_t end = line.find(' ');
  const std::string_view name = line.substr(0, end);
  if (!is_word(name)) return {};
  if (end == std::string_view::npos) return ascii_lower(name);
  const std::string_view rest = trim(line.substr(end), kBlank);
  if (rest.size() < 2 || !rest.starts_with('"') || !rest.ends_with('"')) return {};
  if (rest.substr(1, rest.size() - 2).find_first_of("\"\\[]") != std::string_view::npos) return {};
  return ascii_lower(name);
}

}  // namespace

bool git_config_starts_nothing(std::string_view text) {
  std::string section;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end), kBlank);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#') || line.starts_with(';')) continue;
    // A backslash goes on in the next line or means another byte; "::" in an address names a program.
    if (line.find('\\') != std::string_view::npos || line.find("::") != std::string_view::npos) return false;
    if (line.starts_with('[')) {
      section = section_of(line);
      if (section.empty()) return false;
      continue;
    }
    const std::string_view key = trim(line.substr(0, line.find('=')), kBlank);
    if (section.empty() || !is_word(key)) return false;
    const std::string setting = section + '.' + ascii_lower(key);
    if (std::ranges::find(kHarmless, setting) == std::end(kHarmless)) return false;
  }
  return true;
}

bool is_git_config(std::string_view path) {
  return path == "/etc/gitconfig" || path.ends_with("/.gitconfig") || path.ends_with("/.git/config");
}

}  // namespace rehearse::effects
