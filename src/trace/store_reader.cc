#include "trace/store_reader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/sys.h"

namespace rehearse::trace {
namespace {

template <class Head>
std::string_view bytes_of(const Head& head) {
  return {reinterpret_cast<const char*>(&head), sizeof head};
}

}  // namespace

Result<StoreReader> StoreReader::open(UniqueFd file) {
  StoreReader reader;
  reader.file_ = std::move(file);
  reader.zstd_.reset(ZSTD_createDCtx());
  if (!reader.zstd_) return fail("out of memory");
  RH_TRY(const bool whole, reader.fill(reinterpret_cast<char*>(&reader.head_), sizeof reader.head_));
  if (!whole || reader.head_.magic != kFileMagic || reader.head_.head_bytes != sizeof(FileHead))
    return fail("not a trace", ExitCode::kDataError);
  if (reader.head_.events_version != 1)
    return fail("a trace of version " + std::to_string(reader.head_.events_version) +
                    ", which this program does not know",
                ExitCode::kDataError, "read it with the version of rehearse that wrote it");
  reader.previous_ = sha256(bytes_of(reader.head_));
  return reader;
}

/// False: the file ends before that.
Result<bool> StoreReader::fill(char* to, std::size_t size) {
  at_end_ = false;
  std::size_t there = 0;
  while (there < size) {
    const ssize_t n = ::read(file_.get(), to + there, size - there);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sys::last_error("read", "the trace");
    if (n == 0) {
      at_end_ = there == 0;
      return false;
    }
    there += static_cast<std::size_t>(n);
  }
  return true;
}

/// Reads and checks the next block; false: there is none, or not a good one.
Result<bool> StoreReader::load(BlockHead& head) {
  RH_TRY(const bool there, fill(reinterpret_cast<char*>(&head), sizeof head));
  if (!there) return false;
  if (head.magic != kBlockMagic || head.raw_bytes > kMostRaw || head.stored_bytes > head.raw_bytes ||
      head.previous != previous_)
    return false;
  stored_.resize(head.stored_bytes);
  RH_TRY(const bool whole, fill(stored_.data(), stored_.size()));
  if (!whole) return false;
  BlockHead plain = head;
  plain.digest = {};
  Sha256Hasher hasher;
  hasher.update(bytes_of(plain));
  hasher.update({stored_.data(), stored_.size()});
  if (hasher.finish() != head.digest) return false;
  previous_ = head.digest;
  return true;
}

/// The payload of the block just loaded, decompressed.
bool StoreReader::unpack(const BlockHead& head) {
  if (head.stored_bytes == head.raw_bytes) {
    raw_.swap(stored_);
    return true;
  }
  raw_.resize(head.raw_bytes);
  const std::size_t n =
      ZSTD_decompressDCtx(zstd_.get(), raw_.data(), raw_.size(), stored_.data(), stored_.size());
  return ZSTD_isError(n) == 0 && n == raw_.size();
}

Result<StoreReader::Tail> StoreReader::tail() const {
  Tail tail{hex(sha256(bytes_of(head_))), false, false};
  struct stat status = {};
  if (::fstat(file_.get(), &status) != 0) return sys::last_error("fstat", "the trace");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  std::uint64_t at = sizeof(FileHead);
  BlockHead head;
  while (!tail.ended && at + sizeof head <= size) {
    const ssize_t n = ::pread(file_.get(), &head, sizeof head, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sys::last_error("read", "the trace");
    at += sizeof head + head.stored_bytes;
    if (n != sizeof head || head.magic != kBlockMagic || at > size) break;
    tail.root = hex(head.digest);
    tail.ended = head.kind == BlockKind::kEnd;
    tail.more = tail.ended && at < size;
  }
  return tail;
}

/// `ending`, if `head` is a good end with nothing behind it.
Result<StoreReader::Ending> StoreReader::finish(const BlockHead& head, Ending ending) {
  if (head.kind != BlockKind::kEnd || !unpack(head)) return Ending::kDamaged;
  summary_.assign(raw_.begin(), raw_.end());
  char more = 0;
  RH_TRY(const bool goes_on, fill(&more, 1));
  return goes_on ? Ending::kDamaged : ending;
}

Result<StoreReader::Ending> StoreReader::read(const std::function<bool(const Record&)>& visit,
                                              const std::function<bool(const BlockHead&)>& want) {
  while (true) {
    BlockHead head;
    RH_TRY(const bool good, load(head));
    if (!good) return at_end_ ? Ending::kUnended : Ending::kDamaged;
    if (head.kind == BlockKind::kCut) {
      RH_TRY(const bool more, load(head));
      if (more) return finish(head, Ending::kCut);
      return at_end_ ? Ending::kCut : Ending::kDamaged;
    }
    if (head.kind == BlockKind::kRecords && want && !want(head)) continue;
    if (head.kind == BlockKind::kEnd) return finish(head, Ending::kWhole);
    if (head.kind != BlockKind::kRecords || !unpack(head)) return Ending::kDamaged;
    std::string_view rest(raw_.data(), raw_.size());
    while (!rest.empty()) {
      const auto record = Record::at(rest);
      if (!record) return Ending::kDamaged;
      if (!visit(*record)) return Ending::kUnended;
      rest.remove_prefix(record->head().size);
    }
  }
}

}  // namespace rehearse::trace
