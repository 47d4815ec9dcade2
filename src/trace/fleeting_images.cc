#include "trace/fleeting_images.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>

#include "base/clock.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/sys.h"

namespace rehearse::trace {
namespace {

// The rings wait meanwhile: what an action may make us read, in all and of one program.
constexpr std::uint64_t kMostOfOne = std::uint64_t{64} << 20U;
constexpr std::uint64_t kMostInAll = std::uint64_t{512} << 20U;
constexpr std::size_t kMostPrograms = 1000;

const struct rh_file* executed_file(const Record& record) {
  const struct rh_file* file = nullptr;
  record.each_attachment([&](const Attachment& attachment) {
    if (attachment.kind == RH_FILE && attachment.arg == RH_OPENED && file == nullptr)
      file = attachment.as<struct rh_file>();
  });
  return file;
}

/// Overlayfs shows another number of a file that was copied up (which is there when the run has ended), and
/// may mark a short one with the filesystem it is of in the bits above.
bool is_number(std::uint64_t shown, std::uint64_t ino) {
  return shown == ino || (ino <= UINT32_MAX && (shown & UINT32_MAX) == ino);
}

/// The program of `pid`, if it is that file, and unchanged.
Result<UniqueFd> open_program(std::uint32_t pid, const struct rh_file& file) {
  const std::string name = "/proc/" + std::to_string(pid) + "/exe";
  UniqueFd program(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOATIME));
  if (!program.valid()) return sys::last_error("open", name);
  struct stat st = {};
  if (::fstat(program.get(), &st) != 0) return sys::last_error("fstat", name);
  if (!S_ISREG(st.st_mode) || !is_number(st.st_ino, file.ino) ||
      static_cast<std::uint64_t>(to_ns(st.st_ctim)) != file.ctime_ns)
    return fail("the process executes something else");
  return program;
}

/// What is written within the tick of the change time leaves that as it is.
void pass_tick(std::uint64_t ctime_ns) {
  const std::int64_t until = static_cast<std::int64_t>(ctime_ns) + clock_tick_ns();
  const std::int64_t now = realtime_ns();
  if (now >= until || until - now > clock_tick_ns()) return;
  const struct timespec rest = {0, until - now};
  ::nanosleep(&rest, nullptr);
}

}  // namespace

bool FleetingImages::may_read(const struct rh_file& file) const {
  // What is on an overlay and not in its upper is the host's.
  if (file.flags == RH_ON_OVERLAY || !S_ISREG(file.mode)) return false;
  return file.size <= kMostOfOne && bytes_ + file.size <= kMostInAll && read_.size() < kMostPrograms;
}

const struct rh_head* FleetingImages::after(const Record& record) {
  const auto* exec = record.head().kind == RH_EXEC ? record.as<struct rh_exec>() : nullptr;
  const struct rh_file* file = exec == nullptr ? nullptr : executed_file(record);
  if (file == nullptr || !may_read(*file)) return nullptr;
  auto program = open_program(exec->tgid, *file);
  if (!program) return nullptr;
  if (read_.emplace(file->ino, file->ctime_ns).second) bytes_ += file->size;
  pass_tick(file->ctime_ns);
  const auto digest = sha256_fd(program->get(), nullptr, file->size);
  // Nobody has written to it since it was executed, or its change time is another.
  if (!digest || !open_program(exec->tgid, *file)) return nullptr;
  made_ = {};
  made_.head.size = sizeof made_;
  made_.head.kind = RH_IMAGE;
  made_.head.time_ns = record.head().time_ns;
  made_.head.tid = record.head().tid;
  made_.ino = file->ino;
  made_.ctime_ns = file->ctime_ns;
  std::ranges::copy(*digest, made_.sha256);
  return &made_.head;
}

}  // namespace rehearse::trace
