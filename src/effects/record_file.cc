#include "effects/record_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/report_room.h"
#include "base/sys.h"

namespace rehearse::effects {
namespace {

constexpr std::size_t kFlushAt = std::size_t{256} * 1024;
constexpr std::uint64_t kMaxRecord = std::uint64_t{16} << 20U;

std::string_view view(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

/// Buffered reading with the offset for error messages.
class Input {
 public:
  explicit Input(int fd) : fd_(fd) {}

  bool byte(std::uint8_t& value) {
    if (at_ == end_ && !fill()) return false;
    value = static_cast<std::uint8_t>(buffer_[at_++]);
    ++offset_;
    return true;
  }
  bool number(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      std::uint8_t one = 0;
      if (!byte(one)) return false;
      value |= std::uint64_t{one & 0x7fU} << shift;
      if (one < 0x80) return true;
    }
    return false;
  }
  /// Appends in pieces, so that a false length costs no memory.
  bool bytes(std::uint64_t size, std::string& value) {
    value.clear();
    while (value.size() < size) {
      if (at_ == end_ && !fill()) return false;
      const std::size_t take =
          static_cast<std::size_t>(std::min<std::uint64_t>(size - value.size(), end_ - at_));
      value.append(buffer_.get() + at_, take);
      at_ += take;
      offset_ += take;
    }
    return true;
  }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }

 private:
  bool fill() {
    ssize_t n = 0;
    do {
      n = ::pread(fd_, buffer_.get(), kFlushAt, static_cast<off_t>(offset_));
    } while (n < 0 && errno == EINTR);
    at_ = 0;
    end_ = n > 0 ? static_cast<std::size_t>(n) : 0;
    return n > 0;
  }

  int fd_;
  // Not zeroed: of most manifests only the first page is used.
  std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(kFlushAt);
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::uint64_t offset_ = 0;
};

}  // namespace

RecordFileWriter::RecordFileWriter(UniqueFd file, std::string_view magic, std::string what)
    : file_(std::move(file)), what_(std::move(what)) {
  out_.raw(magic);
}

Result<void> RecordFileWriter::add(std::string_view record, std::string_view counted) {
  if (record.empty() || record.size() > kMaxRecord)
    return fail("a record of the " + what_ + " is larger than 16 MiB", ExitCode::kDataError);
  hasher_.update(view(sha256(counted)));
  out_.text(record);
  ++count_;
  return out_.bytes().size() >= kFlushAt ? flush() : Result<void>{};
}

Result<Sha256> RecordFileWriter::finish() {
  const Sha256 root = hasher_.finish();
  out_.number(0);
  out_.number(count_);
  out_.raw(view(root));
  RH_CHECK(flush());
  return root;
}

Result<void> RecordFileWriter::flush() {
  if (auto done = sys::write_all(file_.get(), out_.bytes()); !done) {
    return fail_errno(done.error().err, "cannot write the " + what_, ExitCode::kCantCreate, kMakeRoom);
  }
  out_.bytes().clear();
  return {};
}

Result<void> read_records(int fd, std::string_view magic, const std::string& what,
                          const std::function<Visit(std::string_view record, std::string& counted)>& visit) {
  Input in(fd);
  const auto damaged = [&](const char* how) {
    return fail(what + ": " + how + " at byte " + std::to_string(in.offset()), ExitCode::kDataError,
                "the bundle is damaged; rehearse again");
  };
  std::string bytes;
  std::string counted;
  Sha256Hasher hasher;
  if (!in.bytes(magic.size(), bytes) || bytes != magic) return damaged("not of this version");
  std::uint64_t count = 0;
  while (true) {
    std::uint64_t size = 0;
    if (!in.number(size)) return damaged("cut off");
    if (size == 0) break;
    if (size > kMaxRecord) return damaged("a record is too long");
    if (!in.bytes(size, bytes)) return damaged("cut off");
    counted.clear();
    switch (visit(bytes, counted)) {
      case Visit::kGoOn:
        break;
      case Visit::kStop:
        return {};
      case Visit::kMalformed:
        return damaged("malformed record");
    }
    hasher.update(view(sha256(counted)));
    ++count;
  }
  std::uint64_t stated = 0;
  if (!in.number(stated) || !in.bytes(32, bytes)) return damaged("cut off");
  if (stated != count) return damaged("the number of records is wrong");
  if (bytes != view(hasher.finish())) return damaged("the root is not that of the records");
  std::uint8_t more = 0;
  if (in.byte(more)) return damaged("something follows the end");
  return {};
}

Result<std::string> stated_root(int fd) {
  RH_TRY(const struct stat st, sys::stat_fd(fd));
  Sha256 root = {};
  const off_t at = st.st_size - static_cast<off_t>(root.size());
  if (at < 0 || ::pread(fd, root.data(), root.size(), at) != static_cast<ssize_t>(root.size()))
    return fail("it is cut off", ExitCode::kDataError, "rehearse again");
  return hex(root);
}

}  // namespace rehearse::effects
