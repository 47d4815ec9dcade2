// A file of records in a bundle: 8 bytes of magic; each record as a varint length and that many bytes; a
// length of 0; then the number of records and a root of 32 bytes. The root is SHA-256 over the SHA-256 of
// what each record counts for, in file order.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/codec.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"

namespace rehearse::effects {

class RecordFileWriter {
 public:
  /// Takes a fresh, empty file opened for writing. `magic`: 8 bytes. `what` names the file in errors.
  RecordFileWriter(UniqueFd file, std::string_view magic, std::string what);

  /// `counted` is what the root covers of `record`. Memory is one block.
  Result<void> add(std::string_view record, std::string_view counted);
  /// Writes the end; returns the root. Call once.
  Result<Sha256> finish();

 private:
  Result<void> flush();

  UniqueFd file_;
  std::string what_;
  Encoder out_;
  Sha256Hasher hasher_;
  std::uint64_t count_ = 0;
};

/// What `visit` says of a record.
enum class Visit : std::uint8_t { kGoOn, kStop, kMalformed };

/// Calls `visit` for each record in file order. `visit` puts what the root covers into `counted` (empty at
/// the call), and a file read to its end must have the root that this gives. A truncated, malformed or
/// changed file is kDataError naming the offset. Memory is one record. The file may be hostile.
Result<void> read_records(int fd, std::string_view magic, const std::string& what,
                          const std::function<Visit(std::string_view record, std::string& counted)>& visit);

/// Hex: the root that the file states at its end. Reading it whole shows whether that is the root of its
/// records.
Result<std::string> stated_root(int fd);

}  // namespace rehearse::effects
