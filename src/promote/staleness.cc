#include "promote/staleness.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <unordered_set>

#include "base/clock.h"
#include "base/sys.h"
#include "effects/attributes.h"
#include "effects/directory.h"

namespace rehearse::promote {
namespace {

using effects::Attributes;
using effects::Change;
using effects::ChangeKind;
using effects::FileType;
using effects::HostRead;

constexpr std::size_t kMostMoved = 1000;  ///< as many are named; beyond that the count says enough

const char* type_word(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "socket";
    case S_IFCHR:
    case S_IFBLK:
      return "device";
    default:
      return "file";
  }
}

mode_t type_bits(FileType type) {
  switch (type) {
    case FileType::kDir:
      return S_IFDIR;
    case FileType::kSymlink:
      return S_IFLNK;
    case FileType::kFifo:
      return S_IFIFO;
    case FileType::kSocket:
      return S_IFSOCK;
    case FileType::kCharDevice:
      return S_IFCHR;
    case FileType::kBlockDevice:
      return S_IFBLK;
    case FileType::kFile:
      break;
  }
  return S_IFREG;
}

std::string describe(const char* type, std::uint64_t ino, std::uint64_t size, std::int64_t ctime_ns,
                     const std::optional<Sha256>& digest) {
  std::string text = fmt::format("{}, {} bytes, inode {}, changed {}", type, size, ino, rfc3339(ctime_ns));
  if (digest) text += ", sha256:" + hex(*digest);
  return text;
}

std::string describe(const struct stat& st, const std::optional<Sha256>& digest = std::nullopt) {
  return describe(type_word(st.st_mode), st.st_ino, static_cast<std::uint64_t>(st.st_size), to_ns(st.st_ctim),
                  digest);
}

std::string owner_of(const struct stat& st) {
  return fmt::format("uid {}", st.st_uid);
}

std::optional<std::uint64_t> generation_of(int file) {
  int generation = 0;
  if (::ioctl(file, FS_IOC_GETVERSION, &generation) != 0) return std::nullopt;
  return static_cast<std::uint32_t>(generation);
}

bool is_accepted(const StalenessRules& rules, const std::string& path) {
  return std::any_of(rules.accept.begin(), rules.accept.end(),
                     [&](const std::string& top) { return is_below(path, top); });
}

bool is_ignored(const StalenessRules& rules, const std::string& path) {
  return std::any_of(rules.ignore.begin(), rules.ignore.end(),
                     [&](const std::string& glob) { return glob_matches(glob, path); });
}

/// Names the fact, unless the operator has.
void note(const StalenessRules& rules, Staleness& result, Moved moved) {
  if (is_accepted(rules, moved.path)) {
    result.accepted.push_back(moved.path);
  } else if (result.moved.size() < kMostMoved) {
    result.moved.push_back(std::move(moved));
  }
}

/// Whether the kind of object can have been told apart from another with the same number.
bool same_generation(int dir, const std::string& name, const struct stat& st,
                     const std::optional<std::uint64_t>& recorded) {
  if (!recorded || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) return true;
  const UniqueFd file(
      ::openat(dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC));
  if (!file.valid()) return true;
  const auto now = generation_of(file.get());
  return !now || *now == *recorded;
}

bool same_settings(const Attributes& a, const Attributes& b) {
  return a.mode == b.mode && a.uid == b.uid && a.gid == b.gid &&
         settings_of(a).xattrs == settings_of(b).xattrs && (a.flags & kKeptFlags) == (b.flags & kKeptFlags);
}

/// Compares what records wrote over with the host.
class WrittenCheck {
 public:
  WrittenCheck(std::span<const Change> changes, const Plan& plan, const StalenessRules& rules,
               std::vector<std::optional<Facts>>& facts, Staleness& result)
      : changes_(changes), plan_(plan), rules_(rules), facts_(facts), result_(result) {}

  Result<void> check(std::uint32_t layer, Volume& volume) {
    layer_ = layer;
    index();
    std::vector<std::size_t> mine;
    std::unordered_set<std::string> known;
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      if (changes_[i].layer != layer) continue;
      if (changes_[i].before) known.insert(plan_.origins[i]);
      if (plan_.taken[i]) mine.push_back(i);
    }
    for (const std::size_t i : mine) {
      const Change& change = changes_[i];
      if (change.before) {
        RH_CHECK(compare(i, volume));
        const bool emptied = change.kind == ChangeKind::kDeleted || change.kind == ChangeKind::kType;
        if (emptied && facts_[i]) RH_CHECK(check_entries(i, volume, known));
        if (change.kind == ChangeKind::kRenamed) RH_CHECK(check_absent(i, volume));
      } else {
        RH_CHECK(check_absent(i, volume));
      }
    }
    return {};
  }

 private:
  Moved moved(std::size_t i, std::string then, std::string now, std::string owner) const {
    const Change& change = changes_[i];
    if (!change.package.empty()) owner = "package " + change.package;
    return {change.from.empty() ? change.path : change.from, "written", std::move(then), std::move(now),
            std::move(owner)};
  }

  std::string then(std::size_t i) const {
    const Change& change = changes_[i];
    if (!change.before) return "nothing";
    const mode_t bits = change.kind == ChangeKind::kType ? 0 : type_bits(change.type);
    const char* type = bits == 0 ? "object of another type" : type_word(bits);
    return describe(type, change.before->ino, change.before->size, change.before->ctime_ns,
                    change.before->sha256);
  }

  /// What is at `path`; a parent that is gone or leads elsewhere is a moved fact, not an error.
  std::optional<struct stat> find(std::size_t i, Volume& volume, const std::string& path,
                                  bool& parent_moved) {
    auto found = volume.find({Area::kHost, path});
    parent_moved = !found;
    if (found) return *found;
    note(rules_, result_,
         moved(i, then(i), "its directory is gone or leads elsewhere (" + found.error().what + ")", ""));
    return std::nullopt;
  }

  Result<void> check_absent(std::size_t i, Volume& volume) {
    const Change& change = changes_[i];
    // Below a new or moved directory there is nothing to look at, and nobody to be in the way.
    const std::string path = relative(i);
    bool parent_moved = false;
    if (!stands_in_host_directory(path)) return {};
    const std::string now = plan_origin(path);
    const auto st = find(i, volume, now, parent_moved);
    if (!st || taken_away(change.layer, now)) return {};
    Moved fact = moved(i, "nothing", describe(*st), owner_of(*st));
    fact.path = change.path;
    if (change.kind == ChangeKind::kRenamed) {
      // Naming it does not help: what stands there now would go without having been rehearsed to.
      result_.moved.push_back(std::move(fact));
      return {};
    }
    note(rules_, result_, std::move(fact));
    facts_[i] = facts_of(*st);
    return {};
  }

  std::string relative(std::size_t i) const {
    const std::string& mountpoint = mountpoint_of(changes_[i].layer);
    return changes_[i].path.substr(
        mountpoint == "/" ? 1 : std::min(mountpoint.size() + 1, changes_[i].path.size()));
  }

  const std::string& mountpoint_of(std::uint32_t layer) const {
    for (const LayerPlan& plan : plan_.layers) {
      if (plan.layer == layer) return plan.mountpoint;
    }
    static const std::string kRoot = "/";
    return kRoot;
  }

  void index() {
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      const Change& change = changes_[i];
      if (!plan_.taken[i]) continue;
      const bool new_directory = change.after && change.type == FileType::kDir &&
                                 (change.kind == ChangeKind::kCreated || change.kind == ChangeKind::kType);
      if (new_directory) new_directories_.insert(key(change.layer, relative(i)));
      if (change.kind == ChangeKind::kRenamed && change.type == FileType::kDir)
        renamed_.emplace(key(change.layer, relative(i)), plan_.origins[i]);
      if (change.kind == ChangeKind::kRenamed || change.kind == ChangeKind::kDeleted)
        taken_away_.insert(key(change.layer, plan_.origins[i]));
    }
  }
  static std::string key(std::uint32_t layer, std::string_view path) {
    return std::to_string(layer) + ':' + std::string(path);
  }
  bool stands_in_host_directory(const std::string& path) const {
    return !new_directories_.contains(key(layer_, parent_of(path)));
  }
  /// Where something that will be at `path` would be on the host as it is.
  std::string plan_origin(const std::string& path) const {
    for (std::string_view at = parent_of(path); !at.empty(); at = parent_of(at)) {
      const auto found = renamed_.find(key(layer_, at));
      if (found != renamed_.end()) return found->second + path.substr(at.size());
    }
    return path;
  }
  bool taken_away(std::uint32_t layer, const std::string& origin) const {
    return taken_away_.contains(key(layer, origin));
  }

  Result<void> compare(std::size_t i, Volume& volume) {
    const Change& change = changes_[i];
    const Attributes& before = *change.before;
    const std::string& path = plan_.origins[i];
    bool parent_moved = false;
    const auto st = find(i, volume, path, parent_moved);
    if (parent_moved) return {};
    if (!st) {
      note(rules_, result_, moved(i, then(i), "nothing", ""));
      return {};
    }
    const Facts now = facts_of(*st);
    facts_[i] = now;
    if (change.base_moved) {
      note(rules_, result_, moved(i, "it changed while the rehearsal ran", describe(*st), owner_of(*st)));
      return {};
    }
    if (change.kind != ChangeKind::kType && (st->st_mode & S_IFMT) != type_bits(change.type)) {
      note(rules_, result_, moved(i, then(i), describe(*st), owner_of(*st)));
      return {};
    }
    // A layer that the kernel cannot map was shown as a copy: then only content and attributes are known.
    const bool known = before.dev == volume.device();
    RH_TRY(const int dir, volume.parent({Area::kHost, path}));
    const std::string name = path.empty() ? "." : std::string(leaf_of(path));
    const bool same_object = known && st->st_ino == before.ino;
    if (same_object && now.ctime_ns == before.ctime_ns && same_generation(dir, name, *st, before.generation))
      return {};
    std::optional<struct stat> opened = *st;
    auto attributes = effects::read_attributes(dir, name.c_str(), opened, effects::Content::kHash);
    if (!attributes) return with_context(attributes.error(), change.path);
    if (is_as_before(change, before, *attributes, *st, same_object || !known)) return {};
    note(rules_, result_, moved(i, then(i), describe(*st, attributes->sha256), owner_of(*st)));
    return {};
  }

  /// Another change time, yet nothing that matters differs.
  static bool is_as_before(const Change& change, const Attributes& before, const Attributes& now,
                           const struct stat& st, bool same_object) {
    if (!same_settings(before, now)) return false;
    if (S_ISDIR(st.st_mode)) {
      // Entries of a directory that stays, or that goes with all its entries recorded, are their own facts.
      // One that moves takes along what is in it, whoever put it there: its own time tells.
      return same_object && (change.kind != ChangeKind::kRenamed || before.mtime_ns == now.mtime_ns);
    }
    if (before.nlink != now.nlink || before.target != now.target || before.rdev != now.rdev) return false;
    if (!S_ISREG(st.st_mode)) return before.mtime_ns == now.mtime_ns;
    return before.size == now.size && before.sha256 && before.sha256 == now.sha256;
  }

  /// A directory that goes may hold nothing that the rehearsal has not seen.
  Result<void> check_entries(std::size_t i, Volume& volume, const std::unordered_set<std::string>& known) {
    const Change& change = changes_[i];
    const std::string& path = plan_.origins[i];
    RH_TRY(const auto st, volume.find({Area::kHost, path}));
    if (!st || !S_ISDIR(st->st_mode)) return {};
    RH_TRY(const int dir, volume.parent({Area::kHost, path}));
    RH_TRY(const UniqueFd opened,
           sys::open_beneath(dir, std::string(leaf_of(path)).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    RH_TRY(const auto names, effects::Listing::read(opened.get()));
    for (const effects::Listed& entry : names) {
      const std::string full = path + '/' + std::string(entry.name);
      if (known.contains(full)) continue;
      Moved fact = moved(i, "nothing", "an entry of a directory that is to go", owner_of(*st));
      fact.path = change.path + '/' + std::string(entry.name);
      // Naming it does not help: nobody has rehearsed that it goes.
      if (result_.moved.size() < kMostMoved) result_.moved.push_back(std::move(fact));
    }
    return {};
  }

  std::span<const Change> changes_;
  const Plan& plan_;
  const StalenessRules& rules_;
  std::vector<std::optional<Facts>>& facts_;
  Staleness& result_;
  std::uint32_t layer_ = 0;
  std::unordered_set<std::string> new_directories_;
  std::unordered_set<std::string> taken_away_;
  std::unordered_map<std::string, std::string> renamed_;
};

/// Filesystems whose objects are the kernel's word of the moment.
bool is_pseudo(long type) {
  constexpr long kTypes[] = {0x9fa0,     0x62656572, 0x64626720, 0x74726163, 0x73636673,
                             0xcafe4a11, 0x27e0eb,   0x63677270, 0x1cd1,     0x19800202,
                             0x6165676c, 0x62656570, 0xde5e81e4, 0x50494446, 0x6e736673};
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

class ReadCheck {
 public:
  ReadCheck(int root, const ReadContext& context, const StalenessRules& rules, Staleness& result)
      : root_(root), context_(context), rules_(rules), result_(result) {}

  Result<void> check(const HostRead& read) {
    if (is_below(read.path, "/proc") || is_below(read.path, "/sys") || is_below(read.path, "/dev")) {
      result_.ignored.push_back({read.path, "a pseudo filesystem"});
      return {};
    }
    if (is_ignored(rules_, read.path)) {
      result_.ignored.push_back({read.path, "stale_ignore"});
      return {};
    }
    if (std::find(context_.roots.begin(), context_.roots.end(), read.path) != context_.roots.end()) return {};
    const auto here = look(read, read.path);
    if (here.pseudo) {
      result_.ignored.push_back({read.path, "a pseudo filesystem"});
      return {};
    }
    // What was written over has been compared in full.
    const bool compared = context_.unmoved.contains(read.path);
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
    report(read, here.now, here.owner);
    return {};
  }

 private:
  static constexpr std::size_t kMostOthers = 64;

  /// Where else on the host something may stand that the action saw at `path`: below what it had renamed, and
  /// where its own symlinks led.
  void add_others(const std::string& path, std::vector<std::string>& others) const {
    for (const auto& [now, then] : context_.renamed) {
      if (is_below(path, now)) others.push_back(then + path.substr(now.size()));
    }
    for (const auto& [link, target] : context_.links) {
      if (!is_below(path, link)) continue;
      const std::string rest = path.substr(link.size());
      const std::string head(parent_of(link));
      others.push_back(target.starts_with('/') ? target + rest : head + '/' + target + rest);
    }
  }

  struct Look {
    bool same = false;
    bool pseudo = false;
    std::uint64_t inode = 0;
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
    struct statfs vfs = {};
    if (::fstat(object->get(), &st) != 0) return result;
    result.pseudo = ::fstatfs(object->get(), &vfs) == 0 && is_pseudo(static_cast<long>(vfs.f_type));
    result.inode = read.moved ? 0 : st.st_ino;
    result.owner = owner_of(st);
    result.now = read.moved ? "it changed while the rehearsal ran" : describe(st);
    result.same = !absent && !read.moved && is_same(read, object->get(), st);
    return result;
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

  static bool is_same(const HostRead& read, int object, const struct stat& st) {
    const effects::ReadIdentity& then = read.identity;
    const bool same_object = st.st_ino == then.ino && (then.dev == 0 || st.st_dev == then.dev);
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
  const ReadContext& context_;
  const StalenessRules& rules_;
  Staleness& result_;
};

/// Walks one mount for what changed since a moment.
class MountCheck {
 public:
  MountCheck(Volume& volume, std::int64_t since_ns, const StalenessRules& rules,
             const std::string& state_path, const std::unordered_set<std::string>& about, Staleness& result)
      : volume_(volume),
        since_ns_(since_ns),
        rules_(rules),
        state_path_(state_path),
        about_(about),
        result_(result) {}

  Result<void> check() {
    std::vector<std::string> waiting = {""};  // relative to the mount
    while (!waiting.empty()) {
      const std::string path = std::move(waiting.back());
      waiting.pop_back();
      auto directory = open_below(volume_.root(), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME);
      if (!directory) {
        if (directory.error().err != ENOENT)
          result_.ignored.push_back({volume_.shown({Area::kHost, path}), directory.error().what});
        continue;
      }
      RH_TRY(const auto names, effects::Listing::read(directory->get()));
      for (const effects::Listed& entry : names)
        look(directory->get(), path, std::string(entry.name), waiting);
    }
    return {};
  }

 private:
  void look(int directory, const std::string& parent, const std::string& name,
            std::vector<std::string>& waiting) {
    const std::string path = parent.empty() ? name : parent + '/' + name;
    const std::string full = volume_.shown({Area::kHost, path});
    struct stat st = {};
    if (::fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) return;
    if (st.st_dev != volume_.device() || full == state_path_ || path == kStoreDirectory ||
        is_ignored(rules_, full))
      return;
    if (S_ISDIR(st.st_mode)) {
      waiting.push_back(path);
    } else if (to_ns(st.st_ctim) > since_ns_ && !about_.contains(full)) {
      note(rules_, result_,
           {full, "on its mount", "not changed after the rehearsal began", describe(st), owner_of(st)});
    }
  }

  Volume& volume_;
  std::int64_t since_ns_;
  const StalenessRules& rules_;
  const std::string& state_path_;
  const std::unordered_set<std::string>& about_;
  Staleness& result_;
};

}  // namespace

std::vector<std::string> default_stale_ignore() {
  return {"/var/log/**", "/var/cache/**", "/run/utmp", "/var/run/utmp", "/run/log/**", "/run/rehearse/**"};
}

bool glob_matches(std::string_view glob, std::string_view path) {
  while (!glob.empty()) {
    if (glob.starts_with("**")) {
      glob.remove_prefix(2);
      for (std::size_t at = 0; at <= path.size(); ++at) {
        if (glob_matches(glob, path.substr(at))) return true;
      }
      return false;
    }
    if (glob.front() == '*') {
      glob.remove_prefix(1);
      for (std::size_t at = 0; at <= path.size(); ++at) {
        if (glob_matches(glob, path.substr(at))) return true;
        if (at < path.size() && path[at] == '/') return false;
      }
      return false;
    }
    if (path.empty() || (glob.front() == '?' ? path.front() == '/' : glob.front() != path.front()))
      return false;
    glob.remove_prefix(1);
    path.remove_prefix(1);
  }
  return path.empty();
}

Result<void> check_written(std::span<const Change> changes, const Plan& plan, std::span<Volume> volumes,
                           const StalenessRules& rules, std::vector<std::optional<Facts>>& facts,
                           Staleness& result) {
  facts.assign(changes.size(), std::nullopt);
  for (std::size_t v = 0; v < plan.layers.size(); ++v) {
    WrittenCheck check(changes, plan, rules, facts, result);
    RH_CHECK(check.check(plan.layers[v].layer, volumes[v]));
  }
  return {};
}

Result<void> check_reads(std::span<const HostRead> reads, const ReadContext& context,
                         const StalenessRules& rules, Staleness& result) {
  RH_TRY(const UniqueFd root, sys::open("/", O_PATH | O_DIRECTORY));
  ReadCheck check(root.get(), context, rules, result);
  for (const HostRead& read : reads) {
    if (!read.path.starts_with('/'))
      return fail("the read list holds no absolute path", ExitCode::kDataError);
    RH_CHECK(check.check(read));
  }
  return {};
}

Result<void> check_mounts(std::span<const Change> changes, const Plan& plan, std::span<Volume> volumes,
                          std::int64_t since_ns, const StalenessRules& rules, const std::string& state_path,
                          Staleness& result) {
  std::unordered_set<std::string> about;
  for (std::size_t v = 0; v < volumes.size(); ++v) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (changes[i].layer != plan.layers[v].layer) continue;
      about.insert(changes[i].path);
      if (changes[i].before) about.insert(volumes[v].shown({Area::kHost, plan.origins[i]}));
    }
  }
  for (Volume& volume : volumes)
    RH_CHECK(MountCheck(volume, since_ns, rules, state_path, about, result).check());
  return {};
}

}  // namespace rehearse::promote
