#include "report/named_changes_text.h"

#include <fmt/format.h>

#include "base/escape.h"

namespace rehearse::report {
namespace {

constexpr std::size_t kNameLimit = 256;
constexpr std::size_t kReasonLimit = 512;

std::string line_of(const effects::AccountChange& change) {
  std::string text = "  " + escape_text(change.what, 32);
  if (!change.name.empty()) text += ' ' + escape_text(change.name, kNameLimit);
  if (!change.group.empty())
    text += (change.name.empty() ? " " : " in group ") + escape_text(change.group, kNameLimit);
  if (change.what.starts_with("user-"))
    text += fmt::format("  uid {}, gid {}, shell {}", change.uid, change.gid,
                        change.shell.empty() ? "none" : escape_text(change.shell, kNameLimit));
  return text + '\n';
}

std::string line_of(const effects::PackageChange& change) {
  return "  " + escape_text(effects::describe(change), kReasonLimit) + '\n';
}

template <class Changes>
std::string lines_of(const Changes& changes, std::size_t most, const std::string& unknown, const char* what) {
  std::string text;
  for (std::size_t i = 0; i < changes.size() && i < most; ++i) text += line_of(changes[i]);
  if (changes.size() > most)
    text += fmt::format("  and {} more {}: see --json\n", changes.size() - most, what);
  if (!unknown.empty())
    text += fmt::format("  there may be more {}: {}\n", what, escape_text(unknown, kReasonLimit));
  return text;
}

}  // namespace

std::string named_changes_text(const RunRecord& record, std::size_t most) {
  return lines_of(record.accounts, most, record.accounts_unknown, "accounts") +
         lines_of(record.packages, most, record.packages_unknown, "packages");
}

}  // namespace rehearse::report
