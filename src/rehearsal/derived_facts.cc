#include "rehearsal/derived_facts.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/sys.h"
#include "effects/accounts.h"
#include "effects/git_config.h"
#include "effects/package_changes.h"

namespace rehearse {
namespace {

constexpr const char* kPasswd = "/etc/passwd";
constexpr const char* kShadow = "/etc/shadow";
constexpr const char* kGroup = "/etc/group";
constexpr const char* kStatus = "/var/lib/dpkg/status";
constexpr const char* kDiversions = "/var/lib/dpkg/diversions";
constexpr const char* kHosts = "/etc/hosts";
constexpr const char* kWatched[] = {kPasswd, kShadow, kGroup, kStatus, kDiversions, kHosts};
constexpr std::size_t kMostGitConfigs = 1000;
constexpr std::size_t kLargestGitConfig = std::size_t{64} << 10U;
constexpr std::size_t kLargestAccounts = std::size_t{4} << 20U;
constexpr std::size_t kLargestDiversions = std::size_t{4} << 20U;
constexpr std::size_t kLargestHosts = std::size_t{1} << 20U;
constexpr std::size_t kLargestStatus = std::size_t{64} << 20U;

Result<std::string> read_below(int root, std::string_view path, std::size_t limit) {
  RH_TRY(const auto fd, sys::open_beneath(root, std::string(path.substr(1)).c_str(),
                                          O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  RH_TRY(const auto st, sys::stat_fd(fd.get()));
  if (!S_ISREG(st.st_mode)) return fail("is not a regular file");
  return sys::read_all(fd.get(), limit);
}

/// The path within the layer that shows it.
std::string_view within(const effects::Layer& layer, std::string_view path) {
  return layer.mountpoint == "/" ? path : path.substr(layer.mountpoint.size());
}

}  // namespace

/// The file's text before and after; both empty if it did not change.
struct DerivedFacts::Pair {
  bool changed = false;
  std::string before;
  std::string after;
};

void DerivedFacts::note(const effects::Change& change) {
  const bool made =
      change.kind == effects::ChangeKind::kCreated || change.kind == effects::ChangeKind::kModified;
  if (made && change.type == effects::FileType::kFile && git_configs_.size() < kMostGitConfigs &&
      effects::is_git_config(change.path))
    git_configs_.push_back(change);
  for (const char* path : kWatched) {
    if (change.path == path) changed_.insert_or_assign(path, change);
    if (change.from != path) continue;
    effects::Change gone = change;
    gone.after.reset();
    changed_.try_emplace(path, std::move(gone));
  }
}

DerivedFacts::Pair DerivedFacts::read(const std::vector<effects::Layer>& layers, const char* path,
                                      std::size_t limit, std::string& trouble) const {
  Pair pair;
  const auto found = changed_.find(path);
  if (found == changed_.end()) return pair;
  const effects::Change& change = found->second;
  const auto layer = std::ranges::find(layers, change.layer, &effects::Layer::number);
  if (layer == layers.end() || change.masked) {
    trouble = fmt::format("{} changed, and cannot be read", path);
    return pair;
  }
  pair.changed = true;
  const auto take = [&](int root, const std::optional<effects::Attributes>& there, std::string& into) {
    if (!there) return;
    auto text = read_below(root, within(*layer, path), limit);
    if (text)
      into = std::move(*text);
    else if (trouble.empty())
      trouble = fmt::format("{} changed, and cannot be read: {}", path, text.error().what);
  };
  take(layer->lower.get(), change.before, pair.before);
  take(layer->upper.get(), change.after, pair.after);
  return pair;
}

std::string DerivedFacts::hosts(const std::vector<effects::Layer>& layers) const {
  std::string trouble;  // a name less
  const Pair pair = read(layers, kHosts, kLargestHosts, trouble);
  if (pair.changed) return pair.after + '\n' + pair.before;
  return sys::read_file(kHosts, kLargestHosts).value_or("");
}

/// Of a file that cannot be read nobody knows.
void DerivedFacts::list_inert(const std::vector<effects::Layer>& layers, report::RunRecord& record) const {
  for (const effects::Change& change : git_configs_) {
    const auto layer = std::ranges::find(layers, change.layer, &effects::Layer::number);
    if (layer == layers.end() || change.masked) continue;
    const auto text = read_below(layer->upper.get(), within(*layer, change.path), kLargestGitConfig);
    if (text && effects::git_config_starts_nothing(*text)) record.inert.push_back(change.path);
  }
}

void DerivedFacts::derive(const std::vector<effects::Layer>& layers, report::RunRecord& record) const {
  list_inert(layers, record);
  if (changed_.empty()) return;
  std::string& unknown = record.accounts_unknown;
  const Pair passwd = read(layers, kPasswd, kLargestAccounts, unknown);
  const Pair shadow = read(layers, kShadow, kLargestAccounts, unknown);
  const Pair group = read(layers, kGroup, kLargestAccounts, unknown);
  record.accounts = effects::account_changes({passwd.before, shadow.before, group.before},
                                             {passwd.after, shadow.after, group.after});
  const Pair status = read(layers, kStatus, kLargestStatus, record.packages_unknown);
  record.packages = effects::package_changes(status.before, status.after);
  const Pair diversions = read(layers, kDiversions, kLargestDiversions, record.packages_unknown);
  record.diversions = effects::diversion_changes(diversions.before, diversions.after);
  constexpr std::size_t kMost = 10'000;
  const auto bound = [](auto& list, std::string& why) {
    if (list.size() <= kMost) return;
    why = fmt::format("{} changes are more than are kept", list.size());
    list.resize(kMost);
  };
  bound(record.accounts, record.accounts_unknown);
  bound(record.packages, record.packages_unknown);
  bound(record.diversions, record.packages_unknown);
}

}  // namespace rehearse
