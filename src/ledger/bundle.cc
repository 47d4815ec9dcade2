#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "base/report_room.h"
#include "base/sys.h"
#include "base/tree.h"
#include "ledger/layout.h"
#include "ledger/state.h"
#include "report/json.h"

namespace rehearse::ledger {
namespace {
constexpr const char* kRecord = "run.json";
constexpr const char* kRecordNew = "run.json.new";

/// What could not be written of run `id`, and what to do about it.
tl::unexpected<Error> cannot_write(Error error, const std::string& id, const char* rel) {
  if (is_no_space(error.err) || error.err == EROFS) {
    error.exit = ExitCode::kCantCreate;
    error.fix = kMakeRoom;
  }
  return with_context(std::move(error), "run " + id + ": cannot write its file " + rel);
}
}  // namespace

Result<UniqueFd> Bundle::create_file(const char* rel) const {
  auto file = sys::open_beneath(fd_.get(), rel, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!file) return cannot_write(std::move(file).error(), id_, rel);
  return file;
}

Result<void> Bundle::write_file(const char* rel, std::string_view content) const {
  RH_TRY(const UniqueFd file, create_file(rel));
  if (auto written = sys::write_all(file.get(), content); !written)
    return cannot_write(std::move(written).error(), id_, rel);
  return {};
}

Result<UniqueFd> Bundle::make_dir(const char* rel) const {
  RH_CHECK(sys::mkdir_at(fd_.get(), rel, 0700));
  return open_dir(rel);
}

Result<UniqueFd> Bundle::open_file(const char* rel) const {
  auto opened = sys::open_beneath(fd_.get(), rel, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  // What leads elsewhere is no file of the bundle's, and ENXIO is what a socket says.
  if (!opened && (opened.error().err == ELOOP || opened.error().err == EXDEV || opened.error().err == ENXIO))
    return fail(std::string(rel) + " is not a regular file", ExitCode::kDataError);
  if (!opened) return opened;
  UniqueFd fd = std::move(*opened);
  RH_TRY(const struct stat st, sys::stat_fd(fd.get()));
  if (!S_ISREG(st.st_mode)) return fail(std::string(rel) + " is not a regular file", ExitCode::kDataError);
  return fd;
}

Result<UniqueFd> Bundle::open_kept(const char* rel) const {
  auto file = open_file(rel);
  if (file) return file;
  if (file.error().err == ENOENT)
    return fail("run " + id_ + ": its file " + rel + " is gone", ExitCode::kDataError,
                "the bundle is damaged; rehearse again");
  if (file.error().fix.empty()) file.error().fix = "the bundle is damaged; rehearse again";
  return with_context(std::move(file).error(), "run " + id_);
}

Result<UniqueFd> Bundle::open_dir(const char* rel) const {
  return sys::open_beneath(fd_.get(), rel, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<std::string> Bundle::report_digest() const {
  RH_TRY(const UniqueFd file, open_kept(kRecord));
  RH_TRY(const Sha256 digest, sha256_fd(file.get()));
  return hex(digest);
}

Result<report::RunRecord> Bundle::read_record() const {
  auto file = open_file(kRecord);
  if (!file) return with_context(file.error(), "run " + id_);
  auto text = sys::read_all(file->get());
  if (!text) return with_context(text.error(), "run " + id_);
  auto record = report::parse_run_json(*text);
  if (!record) return with_context(record.error(), "run " + id_ + ": run.json");
  if (record->id != id_) {
    return fail("run " + id_ + ": run.json is that of run " + record->id.substr(0, 80), ExitCode::kDataError);
  }
  return record;
}

bool Bundle::finished() const {
  return ::faccessat(fd_.get(), kRecord, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
bool Bundle::frozen() const {
  return ::faccessat(fd_.get(), kFrozenMark, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<bool> Bundle::try_lock() {
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return sys::last_error("flock", id_);
}

Result<bool> Bundle::lock_when_over() {
  constexpr int kTries = 100;
  for (int tries = 0;; ++tries) {
    RH_TRY(const bool mine, try_lock());
    if (mine || !finished() || tries >= kTries) return mine;
    struct timespec t = {};
    t.tv_nsec = 50'000'000;
    ::nanosleep(&t, nullptr);
  }
}

Result<void> Bundle::finish(const report::RunRecord& record) const {
  const std::string text = report::to_json(record);
  {
    auto file = sys::open_beneath(fd_.get(), kRecordNew, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    if (!file) return cannot_write(std::move(file).error(), id_, kRecord);
    if (auto written = sys::write_all(file->get(), text); !written)
      return cannot_write(std::move(written).error(), id_, kRecord);
  }
  RH_CHECK(sys::rename_at(fd_.get(), kRecordNew, fd_.get(), kRecord));
  auto moved = sys::rename_at(state_.get(), in(kActive, id_).c_str(), state_.get(), in(kIntake, id_).c_str());
  if (!moved && moved.error().err != ENOENT) return moved;
  return {};
}

Result<void> Bundle::freeze() const {
  if (::syncfs(fd_.get()) != 0) return sys::last_error("syncfs");
  RH_TRY(const UniqueFd mark,
         sys::open_beneath(fd_.get(), kFrozenMark, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600));
  return {};
}

Result<void> Bundle::remove_part(const char* rel) const {
  return remove_tree(fd_.get(), rel);
}

Result<void> Bundle::remove() {
  const std::string to = in(kTrash, id_);
  auto moved = sys::rename_at(state_.get(), in(kRuns, id_).c_str(), state_.get(), to.c_str());
  if (!moved && moved.error().err == ENOENT) {
    RH_CHECK(make_layout(state_.get()));
    moved = sys::rename_at(state_.get(), in(kRuns, id_).c_str(), state_.get(), to.c_str());
  }
  if (!moved) return moved;
  for (const char* markers : {kActive, kIntake}) ::unlinkat(state_.get(), in(markers, id_).c_str(), 0);
  return remove_tree(state_.get(), to.c_str());
}

Result<std::uint64_t> Bundle::disk_usage() const {
  return tree_bytes(fd_.get(), ".");
}

}  // namespace rehearse::ledger
