#include "report/host_names.h"

namespace rehearse::report {

void HostNames::take(const effects::Change& change) {
  if (change.kind == effects::ChangeKind::kRenamed && change.type == effects::FileType::kDir)
    renamed_.emplace(change.path, change.from);
}

std::vector<std::string> HostNames::of(const effects::Change& change) const {
  if (change.kind == effects::ChangeKind::kRenamed) return {change.from};
  if (change.kind != effects::ChangeKind::kDeleted) return {before(change.path)};
  std::vector<std::string> names = {change.path};
  if (std::string elsewhere = before(change.path); elsewhere != change.path)
    names.push_back(std::move(elsewhere));
  return names;
}

/// By the nearest renamed directory above: it is recorded with its name on the host.
std::string HostNames::before(std::string_view path) const {
  for (std::size_t slash = path.rfind('/'); slash != 0 && slash != std::string_view::npos;
       slash = path.rfind('/', slash - 1)) {
    if (const auto found = renamed_.find(path.substr(0, slash)); found != renamed_.end())
      return found->second + std::string(path.substr(slash));
  }
  return std::string(path);
}

}  // namespace rehearse::report
