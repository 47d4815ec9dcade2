// Writes the file `trace` of a bundle, a block at a time.
#pragma once

#include <zstd.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "bpf/events.h"
#include "trace/format.h"

namespace rehearse::trace {

class StoreWriter {
 public:
  /// `limit`: bytes the file may have; what comes later is cut, and the file says so.
  static Result<StoreWriter> create(UniqueFd file, std::uint64_t limit);

  /// Keeps a record, or counts it as cut. Fails once, with the file ending at its last whole block; later
  /// records are cut.
  Result<void> add(const struct rh_head& record);
  /// Writes what is waiting, if it has been for long.
  Result<void> flush_if_old(std::uint64_t now_ns);
  /// Ends the file; `summary` is JSON.
  Result<void> finish(const std::string& summary);

  [[nodiscard]] std::uint64_t records() const { return records_; }
  [[nodiscard]] std::uint64_t cut() const { return cut_; }
  [[nodiscard]] std::uint64_t stored_bytes() const { return stored_; }
  /// Of the last block: stands for the whole file.
  [[nodiscard]] const Sha256& root() const { return previous_; }

 private:
  struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  StoreWriter() = default;
  Result<void> flush();
  [[nodiscard]] Result<void> may_grow() const;
  void note_cut();
  Result<void> write_block(BlockHead head, std::span<const char> raw);

  UniqueFd file_;
  std::uint64_t limit_ = 0;
  std::unique_ptr<ZSTD_CCtx, FreeContext> zstd_;
  std::vector<char> raw_;
  std::vector<char> compressed_;
  BlockHead head_;
  std::uint64_t records_ = 0;
  std::uint64_t cut_ = 0;
  std::uint64_t stored_ = 0;
  Sha256 previous_ = {};
  bool broken_ = false;
  bool cut_noted_ = false;  ///< in the file
};

}  // namespace rehearse::trace
