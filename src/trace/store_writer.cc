#include "trace/store_writer.h"

#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "base/clock.h"
#include "base/report_room.h"
#include "base/sys.h"

namespace rehearse::trace {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{512} << 10U;
constexpr std::uint64_t kOldNs = 1'000'000'000;
constexpr int kLevel = 1;

template <class Head>
std::string_view bytes_of(const Head& head) {
  return {reinterpret_cast<const char*>(&head), sizeof head};
}

}  // namespace

Result<StoreWriter> StoreWriter::create(UniqueFd file, std::uint64_t limit) {
  StoreWriter store;
  store.file_ = std::move(file);
  store.limit_ = limit;
  store.zstd_.reset(ZSTD_createCCtx());
  if (!store.zstd_) return fail("out of memory");
  ZSTD_CCtx_setParameter(store.zstd_.get(), ZSTD_c_compressionLevel, kLevel);
  FileHead head;
  head.monotonic_ns = monotonic_ns();
  head.realtime_ns = realtime_ns();
  RH_CHECK(sys::write_all(store.file_.get(), bytes_of(head)));
  store.previous_ = sha256(bytes_of(head));
  store.stored_ = sizeof head;
  return store;
}

Result<void> StoreWriter::add(const struct rh_head& record) {
  if (broken_) {
    ++cut_;
    return {};
  }
  if (raw_.empty()) {
    head_ = BlockHead();
    head_.first_record = records_;
    head_.first_ns = record.time_ns;
  }
  const auto* bytes = reinterpret_cast<const char*>(&record);
  raw_.insert(raw_.end(), bytes, bytes + record.size);
  head_.last_ns = record.time_ns;
  ++head_.records;
  head_.kinds |= 1U << (record.kind & 31U);
  head_.threads |= 1U << ((record.tid * 2654435761U) >> 27U);
  const bool call = record.kind == RH_EXIT || record.kind == RH_ENTER || record.kind == RH_LATE;
  if (call && record.nr < RH_CALLS) head_.calls[record.nr / 64] |= std::uint64_t{1} << (record.nr % 64);
  ++records_;
  return raw_.size() >= kBlockBytes ? flush() : Result<void>{};
}

Result<void> StoreWriter::flush_if_old(std::uint64_t now_ns) {
  if (raw_.empty() || now_ns < head_.first_ns + kOldNs) return {};
  return flush();
}

Result<void> StoreWriter::flush() {
  if (raw_.empty()) return {};
  const BlockHead head = head_;
  auto done = may_grow();
  if (done) done = write_block(head, raw_);
  raw_.clear();
  if (done) return {};
  broken_ = true;
  records_ -= head.records;
  cut_ += head.records;
  note_cut();
  return done;
}

Result<void> StoreWriter::may_grow() const {
  if (stored_ + raw_.size() / 8 > limit_) return fail("the trace is as large as it may get");
  if (!has_room(file_.get(), kRoomAfterTrace)) return fail(kStateIsFull);
  return {};
}

/// Where no byte is free, that is tried again when the run has ended.
void StoreWriter::note_cut() {
  if (!broken_ || cut_noted_) return;
  BlockHead cut;
  cut.kind = BlockKind::kCut;
  cut.first_record = records_;
  cut_noted_ = write_block(cut, {}).has_value();
}

Result<void> StoreWriter::write_block(BlockHead head, std::span<const char> raw) {
  head.raw_bytes = static_cast<std::uint32_t>(raw.size());
  std::span<const char> payload = raw;
  if (!raw.empty()) {
    compressed_.resize(ZSTD_compressBound(raw.size()));
    const std::size_t n =
        ZSTD_compress2(zstd_.get(), compressed_.data(), compressed_.size(), raw.data(), raw.size());
    if (ZSTD_isError(n) == 0 && n < raw.size()) payload = {compressed_.data(), n};
  }
  head.stored_bytes = static_cast<std::uint32_t>(payload.size());
  head.previous = previous_;
  head.digest = {};
  Sha256Hasher hasher;
  hasher.update(bytes_of(head));
  hasher.update({payload.data(), payload.size()});
  head.digest = hasher.finish();
  auto written = sys::write_all(file_.get(), bytes_of(head));
  if (written) written = sys::write_all(file_.get(), {payload.data(), payload.size()});
  if (!written) {
    // Back to the last whole block.
    if (::ftruncate(file_.get(), static_cast<off_t>(stored_)) == 0)
      (void)::lseek(file_.get(), static_cast<off_t>(stored_), SEEK_SET);
    if (is_no_space(written.error().err)) return fail(kStateIsFull);
    return with_context(written.error(), "the trace cannot be written");
  }
  stored_ += sizeof head + payload.size();
  previous_ = head.digest;
  return {};
}

Result<void> StoreWriter::finish(const std::string& summary) {
  auto kept = flush();
  note_cut();
  // With its end mark and without that note it would pass for whole.
  if (broken_ && !cut_noted_) return fail("the trace has no end mark: there was no room for it");
  BlockHead end;
  end.kind = BlockKind::kEnd;
  end.first_record = records_;
  RH_CHECK(write_block(end, summary));
  return kept;
}

}  // namespace rehearse::trace
