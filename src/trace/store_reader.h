// Reads the file `trace` of a bundle, which may be cut, damaged or hostile: whole blocks only, each checked
// against its digest and the chain.
#pragma once

#include <zstd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "trace/format.h"
#include "trace/record.h"

namespace rehearse::trace {

class StoreReader {
 public:
  /// kDataError if it is no trace, or one of another version.
  static Result<StoreReader> open(UniqueFd file);

  /// How the file ends, once it has been read to its end.
  enum class Ending {
    kWhole,    ///< with its summary
    kCut,      ///< with the note that later records were not kept
    kUnended,  ///< after a whole block: its writer died
    kDamaged,  ///< with something that is no block, or not the one that was written, or goes on after its end
  };

  /// How the file claims to end, by the heads of its blocks alone: nothing is checked.
  struct Tail {
    std::string root;    ///< hex, of the last whole block
    bool ended = false;  ///< that is an end
    bool more = false;   ///< something follows it
  };
  [[nodiscard]] Result<Tail> tail() const;

  /// Calls `visit` for each record in order, until it returns false or the file ends; blocks for which `want`
  /// returns false are passed over. An error only if reading itself fails.
  Result<Ending> read(const std::function<bool(const Record&)>& visit,
                      const std::function<bool(const BlockHead&)>& want = {});

  [[nodiscard]] const FileHead& head() const { return head_; }
  /// JSON, if it was whole.
  [[nodiscard]] const std::string& summary() const { return summary_; }
  /// Hex, of the last block read.
  [[nodiscard]] std::string root() const { return hex(previous_); }

 private:
  struct FreeContext {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  StoreReader() = default;
  Result<bool> fill(char* to, std::size_t size);
  Result<bool> load(BlockHead& head);
  bool unpack(const BlockHead& head);
  Result<Ending> finish(const BlockHead& head, Ending ending);

  UniqueFd file_;
  FileHead head_;
  std::unique_ptr<ZSTD_DCtx, FreeContext> zstd_;
  std::vector<char> stored_;
  std::vector<char> raw_;
  std::string summary_;
  Sha256 previous_ = {};
  bool at_end_ = false;
};

}  // namespace rehearse::trace
