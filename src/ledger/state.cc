#include "ledger/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "base/clock.h"
#include "base/escape.h"
#include "base/sys.h"
#include "ledger/layout.h"
#include "ledger/marker.h"

namespace rehearse::ledger {
namespace {

constexpr std::uint64_t kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/// Why state cannot be written: the reason is in the errno, the exit code is always the same.
tl::unexpected<Error> cannot_create(int err, const std::string& path) {
  std::string fix;
  if (err == EROFS) fix = "name a writable place: --state DIR";
  if (err == ENOSPC || err == EDQUOT)
    fix = "free some space (bytes and inodes) or use --state elsewhere, or: rehearse gc";
  if (err == ENOENT) fix = "make its parent directory first";
  return fail_errno(err, "cannot write the state directory " + path, ExitCode::kCantCreate, std::move(fix));
}

constexpr const char* kMark = "rehearse-state";

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr unsigned kFractionBits = 24;  // six hex digits: steps of 60 ns

bool is_id_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
}

}  // namespace

bool is_run_id(std::string_view text) {
  if (text.size() != kIdLength) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 15;
    if (dash != (c == '-')) return false;
    if (!is_id_char(c) || (i < 15 && c >= 'a')) return false;
  }
  return true;
}

std::string run_id_of(std::int64_t epoch_ns) {
  const auto fraction = static_cast<std::uint64_t>(epoch_ns % kSecondNs);
  return fmt::format("{}-{:06x}", compact_time(epoch_ns), (fraction << kFractionBits) / kSecondNs);
}

std::int64_t time_of_run(const std::string& id) {
  struct tm t = {};
  const auto number = [&](std::size_t at, std::size_t n) { return std::atoi(id.substr(at, n).c_str()); };
  t.tm_year = number(0, 4) - 1900;
  t.tm_mon = number(4, 2) - 1;
  t.tm_mday = number(6, 2);
  t.tm_hour = number(9, 2);
  t.tm_min = number(11, 2);
  t.tm_sec = number(13, 2);
  const std::uint64_t fraction = std::strtoul(id.substr(16, 6).c_str(), nullptr, 16);
  // Upwards, so that the time of an id is never before that it was made of.
  const std::uint64_t ns = (fraction * kSecondNs + (1U << kFractionBits) - 1) >> kFractionBits;
  return std::int64_t{::timegm(&t)} * kSecondNs + static_cast<std::int64_t>(ns);
}

Result<void> for_each_name(int dir, const char* rel, const std::function<Result<void>(const char*)>& visit) {
  const int fd = ::openat(dir, rel, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return {};
    return sys::last_error("open", rel);
  }
  const UniqueFd owned(fd);
  alignas(std::max_align_t) char
      block[4096];  // no heap: this runs before every rehearsal and is almost always empty
  while (true) {
    const long n = ::syscall(SYS_getdents64, fd, block, sizeof block);
    if (n < 0) return sys::last_error("getdents64", rel);
    if (n == 0) return {};
    for (long at = 0; at < n;) {
      unsigned short length = 0;
      std::memcpy(&length, block + at + 16, sizeof length);
      const char* name = block + at + 19;
      if (name[0] != '.') RH_CHECK(visit(name));
      at += length;
    }
  }
}

/// A directory is rehearse's own by a file that says so; only an empty one is taken over. What else lies in a
/// state directory is removed by `gc` and hidden from actions: a wrong --state must not do that to somebody's
/// files.
Result<void> check_identity(int state, const std::string& shown, Create create) {
  if (::faccessat(state, kMark, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return {};
  bool empty = true;
  RH_CHECK(for_each_name(state, ".", [&](const char* name) -> Result<void> {
    empty = empty && std::strcmp(name, "lost+found") == 0;
    return {};
  }));
  // Another process may have been first.
  if (!empty && ::faccessat(state, kMark, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail("the directory " + shown + " is not empty and was not made by rehearse", ExitCode::kConfig,
                "name a new or empty directory: --state DIR");
  }
  if (!empty || create == Create::kNo) return {};
  const UniqueFd mark(::openat(state, kMark, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!mark.valid()) return cannot_create(errno, shown);
  return {};
}

Result<void> make_layout(int state) {
  for (const char* name : {kRuns, kActive, kIntake, kTrash}) {
    auto made = sys::mkdir_at(state, name, 0700);
    if (!made && made.error().err != EEXIST) return made;
  }
  return {};
}

Result<StateDir> StateDir::open(const std::string& given, Create create) {
  std::string path = given;
  while (path.size() > 1 && path.back() == '/') path.pop_back();  // a trailing slash would follow a symlink
  const std::string& shown = path;
  if (path.empty() || path[0] != '/' || path == "/" || path.find('\0') != std::string::npos) {
    return fail(fmt::format("the state directory must be an absolute path below /, not \"{}\"", given),
                ExitCode::kUsage);
  }
  if (::geteuid() != 0) {
    return fail("the state directory " + shown + " belongs to root", ExitCode::kNoPermission,
                "run rehearse as root (sudo)");
  }
  bool fresh = false;
  auto opened = sys::open(path.c_str(), static_cast<int>(kDirectory));
  if (!opened && opened.error().err == ENOENT && create == Create::kYes) {
    auto made = sys::mkdir_at(AT_FDCWD, path.c_str(), 0700);
    if (!made && made.error().err != EEXIST) return cannot_create(made.error().err, path);
    fresh = made.has_value();
    opened = sys::open(path.c_str(), static_cast<int>(kDirectory));
  }
  if (!opened) {
    const int err = opened.error().err;
    if (err == ENOENT)
      return fail_errno(ENOENT, "state directory " + shown, ExitCode::kUsage,
                        "no run was made yet, or name it: --state DIR");
    if (err == ELOOP || err == ENOTDIR) {
      return fail("the state directory " + shown + " is not a directory (a symbolic link is not followed)",
                  ExitCode::kConfig, "name a real directory: --state DIR");
    }
    return fail_errno(err, "cannot open the state directory " + shown, ExitCode::kCantCreate);
  }
  if (fresh && ::fchmod(opened->get(), 0700) != 0) return cannot_create(errno, path);
  RH_TRY(const struct stat st, sys::stat_fd(opened->get()));
  if (st.st_uid != 0) {
    return fail(fmt::format("the state directory {} belongs to uid {}, not to root", shown, st.st_uid),
                ExitCode::kConfig, "chown root " + shell_quote(path));
  }
  // First of all whether it is one: nobody is told to close /etc.
  RH_CHECK(check_identity(opened->get(), shown, Create::kNo));
  if ((st.st_mode & S_IWOTH) != 0) {
    return fail(
        fmt::format(
            "the state directory {} is writable by everyone (mode {:04o}): what is in it cannot be trusted",
            shown, st.st_mode & 07777U),
        ExitCode::kConfig, "name a fresh directory: --state DIR");
  }
  if ((st.st_mode & 0077U) != 0) {
    return fail(
        fmt::format("the state directory {} is open to others (mode {:04o})", shown, st.st_mode & 07777U),
        ExitCode::kConfig, "chmod 0700 " + shell_quote(path));
  }
  RH_CHECK(check_identity(opened->get(), shown, create));
  return StateDir(std::move(path), std::move(*opened));
}

Result<Bundle> StateDir::create_run(std::span<const std::string> argv) const {
  for (int tries = 0; tries < 100; ++tries) {
    const std::string id = run_id_of(realtime_ns());
    const std::string rel = in(kRuns, id);
    if (::mkdirat(fd_.get(), rel.c_str(), 0700) != 0) {
      if (errno == EEXIST) continue;
      if (errno != ENOENT) return cannot_create(errno, path_);
      if (auto made = make_layout(fd_.get()); !made) return cannot_create(made.error().err, path_);
      continue;
    }
    auto dir = sys::open_beneath(fd_.get(), rel.c_str(), kDirectory);
    if (!dir) {
      (void)sys::unlink_at(fd_.get(), rel.c_str(), AT_REMOVEDIR);
      return tl::make_unexpected(dir.error());
    }
    // The lock comes before the marker: whoever finds the marker finds the lock taken.
    // Someone who looks for orphans may hold it for a moment; this directory is then an orphan indeed.
    if (::flock(dir->get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) continue;
      return sys::last_error("flock", rel);
    }
    const UniqueFd marker(::openat(fd_.get(), in(kActive, id).c_str(),
                                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!marker.valid()) {
      const int err = errno;
      (void)sys::unlink_at(fd_.get(), rel.c_str(), AT_REMOVEDIR);
      if (err != ENOENT) return cannot_create(err, path_);
      if (auto made = make_layout(fd_.get()); !made) return cannot_create(made.error().err, path_);
      continue;
    }
    note_command(marker.get(), argv);
    RH_TRY(UniqueFd state, sys::dup(fd_.get()));
    return Bundle(id, std::move(*dir), std::move(state));
  }
  return fail("no free run id after 100 tries", ExitCode::kTryLater);
}

Result<std::vector<std::string>> StateDir::run_ids() const {
  std::vector<std::string> ids;
  RH_CHECK(for_each_name(fd_.get(), kRuns, [&](const char* name) -> Result<void> {
    if (is_run_id(name)) ids.emplace_back(name);
    return {};
  }));
  std::sort(ids.begin(), ids.end());
  return ids;
}

Result<Bundle> StateDir::open_exactly(const std::string& id) const {
  RH_TRY(UniqueFd dir, sys::open_beneath(fd_.get(), in(kRuns, id).c_str(), kDirectory));
  RH_TRY(UniqueFd state, sys::dup(fd_.get()));
  return Bundle(id, std::move(dir), std::move(state));
}

Result<Bundle> StateDir::open_run(std::string_view prefix) const {
  const std::string shown(prefix.substr(0, 80));
  const char* const see = "see: rehearse list";
  if (prefix == "last") {
    RH_TRY(const std::vector<std::string> ids, run_ids());
    for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
      auto bundle = open_exactly(*id);
      if (bundle && bundle->finished()) return bundle;
    }
    return fail("there is no finished run yet", ExitCode::kUsage, "make one: rehearse run -- COMMAND");
  }
  if (prefix.empty() || prefix.size() > kIdLength || !std::all_of(prefix.begin(), prefix.end(), is_id_char)) {
    return fail("\"" + shown + "\" is not a run id", ExitCode::kUsage, see);
  }
  if (is_run_id(prefix)) {
    auto bundle = open_exactly(std::string(prefix));
    if (!bundle && bundle.error().err == ENOENT)
      return fail("there is no run " + shown, ExitCode::kUsage, see);
    return bundle;
  }
  RH_TRY(const std::vector<std::string> ids, run_ids());
  const auto first = std::lower_bound(ids.begin(), ids.end(), prefix);
  const auto matches = [&](auto at) { return at != ids.end() && std::string_view(*at).starts_with(prefix); };
  if (!matches(first)) return fail("no run id starts with " + shown, ExitCode::kUsage, see);
  if (matches(first + 1)) {
    const auto count =
        std::count_if(first, ids.end(), [&](const std::string& id) { return id.starts_with(prefix); });
    return fail(fmt::format("{} run ids start with {} ({}, {}{})", count, shown, *first, *(first + 1),
                            count > 2 ? ", ..." : ""),
                ExitCode::kUsage, "give more of the id");
  }
  return open_exactly(*first);
}

Result<std::vector<StateDir::Unfinished>> StateDir::unfinished_runs() const {
  std::vector<Unfinished> runs;
  RH_CHECK(for_each_name(fd_.get(), kActive, [&](const char* name) -> Result<void> {
    auto bundle = is_run_id(name) ? open_exactly(name) : fail("no run");
    if (!bundle || bundle->finished()) return {};
    RH_TRY(const bool free, bundle->try_lock());
    if (!bundle->finished()) runs.push_back({name, !free, noted_command(fd_.get(), kActive, name)});
    return {};
  }));
  std::ranges::sort(runs, {}, &Unfinished::id);
  return runs;
}

Result<std::vector<std::string>> StateDir::interrupted_runs() const {
  std::vector<std::string> ids;
  RH_CHECK(for_each_name(fd_.get(), kActive, [&](const char* name) -> Result<void> {
    if (!is_run_id(name)) return {};
    const std::string id = name;
    auto bundle = open_exactly(id);
    if (!bundle) {  // removed by someone whose own life ended before the marker's
      if (bundle.error().err != ENOENT) return with_context(bundle.error(), "run " + id);
      ::unlinkat(fd_.get(), in(kActive, id).c_str(), 0);
      return {};
    }
    RH_TRY(const bool free, bundle->try_lock());
    if (!free) return {};
    if (bundle->finished()) {  // died between the two renames of finish()
      ::renameat(fd_.get(), in(kActive, id).c_str(), fd_.get(), in(kIntake, id).c_str());
      return {};
    }
    ids.push_back(id);
    return {};
  }));
  return ids;
}

}  // namespace rehearse::ledger
