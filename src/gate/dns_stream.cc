#include "gate/dns_stream.h"

#include <algorithm>
#include <utility>

#include "gate/bytes.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kLength = 2;

/// Moves from the front of `bytes` until `pending` has `size`; true if it has.
bool fill(std::string& pending, std::size_t size, std::string_view& bytes) {
  const std::size_t take = std::min(size - pending.size(), bytes.size());
  pending += bytes.substr(0, take);
  bytes.remove_prefix(take);
  return pending.size() == size;
}

}  // namespace

std::optional<std::string> DnsStream::next(std::string_view& bytes) {
  if (failed_) return std::nullopt;
  if (pending_.size() < kLength && !fill(pending_, kLength, bytes)) return std::nullopt;
  const std::size_t size = ByteReader(pending_).u16();
  if (size > kMostQuery) {
    failed_ = true;
    return std::nullopt;
  }
  if (!fill(pending_, kLength + size, bytes)) return std::nullopt;
  std::string message = pending_.substr(kLength);
  pending_.clear();
  return message;
}

std::string dns_frame(std::string_view message) {
  std::string framed;
  append_u16(framed, static_cast<std::uint16_t>(message.size()));
  framed += message;
  return framed;
}

}  // namespace rehearse::gate
