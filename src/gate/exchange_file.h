// The exchanges of a run on disk, `exchanges.jsonl` of its bundle: a line {"schema": "rehearse.exchanges/1"},
// then one JSON object a line, bodies in base64. Written as they happen, read for the report and for
// --replay.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "gate/exchange.h"
#include "gate/redaction.h"

namespace rehearse::gate {

struct ExchangeLimits {
  std::size_t body_bytes = kMostKept;  ///< kept of each body
  std::uint64_t file_bytes = 64U << 20U;
};

/// Writes to a descriptor that it does not own. Not thread safe.
class ExchangeWriter {
 public:
  static Result<ExchangeWriter> create(int fd, ExchangeLimits limits = {}, RedactionRules rules = {});
  /// Hides secrets, cuts bodies, appends a line, which is in the file after flush() at the latest. A large
  /// body of an HTTP reply that the file has already is not written again. What the file has no room for is
  /// counted only; findings are written without their bodies, as long as there is some.
  Result<> write(KeptExchange exchange);
  /// After a failure nothing is written any more.
  Result<> flush();
  /// Flushes; the last line, if exchanges were dropped: how many. Any failure that there was.
  Result<> finish();
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  ExchangeWriter(int fd, ExchangeLimits limits, RedactionRules rules)
      : fd_(fd), limits_(limits), rules_(std::move(rules)) {}

  bool add(const std::string& line, std::uint64_t most_bytes);

  int fd_;
  ExchangeLimits limits_;
  RedactionRules rules_;
  std::string pending_;
  std::unordered_set<std::string> bodies_;  ///< SHA-256 of large ones that are in the file
  std::optional<Error> broken_;
  std::uint64_t written_ = 0;  ///< pending or in the file
  std::uint64_t dropped_ = 0;
};

struct ExchangeFile {
  std::vector<KeptExchange> exchanges;
  std::uint64_t dropped = 0;
};

/// kDataError with the line's number on anything that the writer does not write.
Result<ExchangeFile> parse_exchanges(std::string_view text);
/// From the descriptor's offset to its end; at most twice what a writer with the usual limits makes.
Result<ExchangeFile> read_exchanges(int fd);

}  // namespace rehearse::gate
