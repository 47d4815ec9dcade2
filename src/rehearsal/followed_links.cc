#include "rehearsal/followed_links.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

#include "base/path.h"
#include "base/sys.h"

namespace rehearse {
namespace {

/// As many as the kernel follows of one name (MAXSYMLINKS).
constexpr int kMostLinks = 40;

/// Puts the parts of `path` before `pending`, whose last is the next.
void put_before(std::vector<std::string>& pending, std::string_view path) {
  const std::size_t old = pending.size();
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (const auto part = path.substr(at, end - at); !part.empty() && part != ".") pending.emplace_back(part);
    at = end + 1;
  }
  std::reverse(pending.begin() + static_cast<std::ptrdiff_t>(old), pending.end());
}

class LinkWalk {
 public:
  explicit LinkWalk(const HostRoot& host) : host_(host) {}

  void walk(std::string_view path) {
    std::vector<std::string> pending;
    put_before(pending, path);
    std::string at;  // without links; "" is the root
    for (int links = 0; !pending.empty() && links <= kMostLinks;) {
      const std::string part = std::move(pending.back());
      pending.pop_back();
      if (part == "..") {
        at.resize(at.empty() ? 0 : at.rfind('/'));
        continue;
      }
      const std::string next = at + '/' + part;
      if (is_within(next, "/proc") || is_within(next, "/sys") || is_within(next, "/dev")) return;
      const Object& object = look(next);
      if (!object.there) return;
      if (!object.target) {
        at = next;
        continue;
      }
      ++links;
      links_.insert(next);
      if (object.target->starts_with('/')) at.clear();
      put_before(pending, *object.target);
    }
  }

  [[nodiscard]] const std::set<std::string>& links() const { return links_; }

 private:
  struct Object {
    bool there = false;
    std::optional<std::string> target;  ///< of a symlink
  };

  const Object& look(const std::string& path) {
    const auto [known, fresh] = known_.try_emplace(path);
    Object& object = known->second;
    const auto found = fresh ? host_.find(path, false) : Result<UniqueFd>(UniqueFd());
    const auto st =
        fresh && found ? sys::stat_fd(found->get()) : Result<struct stat>(fail("known, or nothing"));
    if (!st) return object;
    object.there = true;
    if (!S_ISLNK(st->st_mode)) return object;
    if (auto target = sys::read_link_at(found->get(), "")) object.target = std::move(*target);
    return object;
  }

  const HostRoot& host_;
  std::unordered_map<std::string, Object> known_;
  std::set<std::string> links_;
};

}  // namespace

void add_followed_links(std::vector<effects::HostRead>& reads,
                        const std::unordered_set<std::string>& followed, const HostRoot& host) {
  LinkWalk walk(host);
  for (const std::string& path : followed) walk.walk(path);
  const std::size_t old = reads.size();
  for (const std::string& link : walk.links()) {
    const auto end = reads.begin() + static_cast<std::ptrdiff_t>(old);
    const auto known = std::lower_bound(
        reads.begin(), end, link,
        [](const effects::HostRead& read, const std::string& path) { return read.path < path; });
    if (known != end && known->path == link) continue;
    effects::HostRead read;
    read.path = link;
    read.uses = effects::kReadPresent;
    read.link = true;
    reads.push_back(std::move(read));
  }
  // Both parts are in order.
  std::ranges::inplace_merge(reads, reads.begin() + static_cast<std::ptrdiff_t>(old), {},
                             &effects::HostRead::path);
}

}  // namespace rehearse
