// DNS over TCP: each message has its length before it (RFC 1035 4.2.2).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rehearse::gate {

/// Cuts what one client sends into messages. Holds at most one message that is not whole yet, and no more of
/// it than kMostQuery. Not thread safe.
class DnsStream {
 public:
  /// A query is a question and EDNS options: padded ones have 512 bytes at most (RFC 8467).
  static constexpr std::size_t kMostQuery = 4096;

  /// The next message, taking what it needs off the front of `bytes`; nothing when that is used up, or after
  /// a message that is longer than kMostQuery: see failed().
  std::optional<std::string> next(std::string_view& bytes);
  /// The connection is to be closed.
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  std::string pending_;  ///< the length and what there is of the message
  bool failed_ = false;
};

/// The message with its length before it. At most 65535 bytes.
std::string dns_frame(std::string_view message);

}  // namespace rehearse::gate
