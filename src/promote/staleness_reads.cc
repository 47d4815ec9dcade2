// The read set.
#include <fcntl.h>

#include <algorithm>
#include <iterator>

#include "base/clock.h"
#include "base/kernel_filesystem.h"
#include "base/sys.h"
#include "promote/listed_entries.h"
#include "promote/selection.h"
#include "promote/staleness.h"
#include "promote/staleness_facts.h"

namespace rehearse::promote {
namespace {

using effects::HostRead;

class ReadCheck {
 public:
  ReadCheck(int root, std::span<const HostRead> reads, const ReadContext& context,
            const StalenessRules& rules, Staleness& result)
      : root_(root), reads_(reads), context_(context), rules_(rules), result_(result) {}

  Result<void> check(const HostRead& read) {
    if (is_below(read.path, "/proc") || is_below(read.path, "/sys") || is_below(read.path, "/dev")) {
      result_.ignored.push_back({read.path, "a pseudo filesystem"});
      return {};
    }
    if (const StaleIgnore* one = ignored_by(rules_, read.path, result_)) {
      result_.ignored.push_back({read.path, "stale_ignore (" + one->by + ")"});
      return {};
    }
    if (std::find(context_.roots.begin(), context_.roots.end(), read.path) != context_.roots.end()) return {};
    const auto here = look(read, read.path);
    if (here.pseudo) {
      result_.ignored.push_back({read.path, "a pseudo filesystem"});
      return {};
    }
    // What was written over has been compared in full, but for the entries of a directory that stays.
    const bool listed = (read.uses & effects::kReadListed) != 0;
    const bool compared =
        context_.unmoved.contains(read.path) && !(listed && context_.staying.contains(read.path));
    const auto is_it = [&](const Look& found) {
      return found.same || (compared && found.inode != 0 && found.inode == read.identity.ino);
    };
    if (is_it(here)) return {};
    std::vector<std::string> others = {read.path};
    for (std::size_t i = 0; i < others.size() && i < kMostOthers; ++i) {
      const std::string other = others[i];  // the vector grows
      if (i != 0 && is_it(look(read, other))) return {};
      add_others(other, others);
    }
    const bool nowhere =
        here.inode == 0 && here.now == "nothing" && read.source != effects::ReadSource::kNone;
    if (nowhere && !read.moved && context_.compared.contains({read.identity.dev, read.identity.ino}))
      return {};
    const bool gone = here.inode == 0 && here.now == "nothing";
    if (!read.moved && is_own_move(read, gone, here.ctime_ns)) return {};
    report(read, here.now + what_became_of_entries(read), here.owner);
    return {};
  }

 private:
  static constexpr std::size_t kMostOthers = 64;

  /// Where a symlink in the directory leads.
  static std::string led_by(const std::string& target, std::string directory) {
    if (target.starts_with('/')) return target;
    directory += '/';
    directory += target;
    return directory;
  }

  /// Where else on the host something may stand that the action saw at `path`: below what it had renamed, and
  /// where its own symlinks led.
  void add_others(const std::string& path, std::vector<std::string>& others) const {
    for (const auto& [now, then] : context_.renamed) {
      if (is_below(path, now)) others.push_back(then + path.substr(now.size()));
    }
    for (const auto& [link, target] : context_.links) {
      if (!is_below(path, link)) continue;
      const std::string rest = path.substr(link.size());
      others.push_back(led_by(target, std::string(parent_of(link))) + rest);
    }
  }

  /// Promotions and rollbacks know the place itself, whichever symlinks led the action there.
  [[nodiscard]] bool is_own_move(const HostRead& read, bool gone, std::int64_t ctime_ns) const {
    if (rules_.own.none()) return false;
    const auto explains = [&](const std::string& path) {
      return gone ? rules_.own.took_away(path) : rules_.own.explain(path, ctime_ns);
    };
    return explains(read.path) || explains(place_of(read.path, !read.link));
  }

  /// Where `path` leads, as far as that is there; what is not stands behind it as it is written.
  [[nodiscard]] std::string place_of(std::string path, bool follow) const {
    constexpr int kMostRounds = 64;  ///< of symlinks and directories that are gone
    std::string rest;
    for (int round = 0; round < kMostRounds && path.size() > 1; ++round) {
      const std::string parent(parent_of(path));
      const std::string name = path.substr(parent.size());
      const auto directory = sys::open_at2(root_, parent.empty() ? "." : parent.c_str() + 1,
                                           O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
      const auto where = directory ? sys::read_link_at(AT_FDCWD, sys::fd_path(directory->get()).c_str())
                                   : Result<std::string>(tl::make_unexpected(directory.error()));
      if (!where) {
        rest.insert(0, name);
        path = parent;
        follow = true;
        continue;
      }
      std::string above = *where == "/" ? "" : *where;
      const auto target = sys::read_link_at(directory->get(), name.c_str() + 1);
      if (!follow || !target) return above.append(name).append(rest);
      path = led_by(*target, above);
    }
    return rest.empty() ? "/" : rest;
  }

  struct Look {
    bool same = false;
    bool pseudo = false;
    std::uint64_t inode = 0;
    std::int64_t ctime_ns = INT64_MAX;
    std::string now;
    std::string owner;
  };

  /// What the host has at `path`, held against what was read.
  Look look(const HostRead& read, const std::string& path) const {
    Look result;
    const bool absent = read.uses == effects::kReadAbsent;
    const std::string relative = path.size() > 1 ? path.substr(1) : ".";
    const auto object = sys::open_at2(root_, relative.c_str(), O_PATH | (read.link ? O_NOFOLLOW : 0), 0,
                                      RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (!object) {
      result.same = absent;
      result.now = "nothing";
      return result;
    }
    struct stat st = {};
    if (::fstat(object->get(), &st) != 0) return result;
    result.pseudo = is_on_kernel_filesystem(object->get());
    result.inode = read.moved ? 0 : st.st_ino;
    result.ctime_ns = to_ns(st.st_ctim);
    result.owner = owner_of(st);
    result.now = read.moved ? "it changed while the rehearsal ran" : describe(st);
    result.same = !absent && !read.moved && is_same(read, object->get(), st);
    return result;
  }

  /// Of a directory that was listed; nothing to be told of anything else.
  [[nodiscard]] std::string what_became_of_entries(const HostRead& read) const {
    if ((read.uses & effects::kReadListed) == 0 || read.moved) return {};
    const auto object = sys::open_at2(root_, read.path.size() > 1 ? read.path.c_str() + 1 : ".",
                                      O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    const auto st = object ? sys::stat_fd(object->get()) : tl::make_unexpected(object.error());
    if (!st || st->st_ino != read.identity.ino) return {};
    return what_became_of({read, object->get(), *st}, reads_, context_.since_ns, rules_.own);
  }

  void report(const HostRead& read, std::string now, std::string owner) {
    const char* use = (read.uses & effects::kReadExecuted) != 0 ? "executed"
                      : (read.uses & effects::kReadListed) != 0 ? "listed"
                      : (read.uses & effects::kReadOpened) != 0 ? "read"
                      : (read.uses == effects::kReadAbsent)     ? "looked for in vain"
                                                                : "looked at";
    std::string then = read.uses == effects::kReadAbsent
                           ? std::string("nothing")
                           : describe(type_word(read.identity.mode), read.identity.ino, read.identity.size,
                                      read.identity.ctime_ns, read.sha256);
    note(rules_, result_, {read.path, use, std::move(then), std::move(now), std::move(owner)});
  }

  [[nodiscard]] bool is_same(const HostRead& read, int object, const struct stat& st) const {
    const effects::ReadIdentity& then = read.identity;
    const bool same_device = then.dev == 0 || st.st_dev == then.dev || rules_.other_boot;
    const bool same_object = st.st_ino == then.ino && same_device;
    std::optional<UniqueFd> file;
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
      if (auto opened = sys::open(sys::fd_path(object).c_str(), O_RDONLY | O_NONBLOCK | O_NOATIME | O_NOCTTY))
        file = std::move(*opened);
    }
    bool same_generation = true;
    if (file && then.generation) {
      const auto now = generation_of(file->get());
      same_generation = !now || *now == *then.generation;
    }
    if (same_object && same_generation && to_ns(st.st_ctim) == then.ctime_ns) return true;
    if (S_ISDIR(st.st_mode)) {
      // Its entries matter only to who listed them.
      return same_object && same_generation && (read.uses & effects::kReadListed) == 0 &&
             (then.mode == 0 || then.mode == st.st_mode);
    }
    if (!S_ISREG(st.st_mode) || !read.sha256 || !file || static_cast<std::uint64_t>(st.st_size) != then.size)
      return false;
    const auto digest = sha256_fd(file->get(), nullptr, then.size);
    return digest && *digest == *read.sha256;
  }

  int root_;
  std::span<const HostRead> reads_;
  const ReadContext& context_;
  const StalenessRules& rules_;
  Staleness& result_;
};

}  // namespace

Result<void> check_reads(std::span<const HostRead> reads, const ReadContext& context,
                         const StalenessRules& rules, Staleness& result) {
  RH_TRY(const UniqueFd root, sys::open("/", O_PATH | O_DIRECTORY));
  ReadCheck check(root.get(), reads, context, rules, result);
  for (const HostRead& read : reads) {
    if (!read.path.starts_with('/'))
      return fail("the read list holds no absolute path", ExitCode::kDataError);
    RH_CHECK(check.check(read));
  }
  return {};
}

}  // namespace rehearse::promote
