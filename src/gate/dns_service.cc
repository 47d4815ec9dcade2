#include "gate/dns_service.h"

#include <fmt/format.h>

namespace rehearse::gate {

std::size_t DnsService::on_bytes(std::string_view bytes, Wire& wire) {
  std::string_view rest = bytes;
  while (flush(wire)) {
    const auto query = stream_.next(rest);
    if (stream_.failed()) {
      bytes_ += bytes.size();
      wire.reset();
      return bytes.size();
    }
    if (!query) break;
    const NameService::Answer answer = names_.answer(*query, DnsTransport::kTcp, ends_);
    if (answer.asked) asked_bytes_ += dns_frame(*query).size();
    if (!answer.response.empty()) answer_ = dns_frame(answer.response);
  }
  bytes_ += bytes.size() - rest.size();
  return bytes.size() - rest.size();
}

std::string DnsService::misuse() const {
  if (bytes_ == 0) return "no name server was asked anything";
  if (bytes_ == asked_bytes_) return {};
  return fmt::format("{} bytes that are no question to a name server", bytes_ - asked_bytes_);
}

bool DnsService::flush(Wire& wire) {
  answer_.erase(0, answer_.empty() ? 0 : wire.send(answer_));
  return answer_.empty();
}

void DnsService::on_writable(Wire& wire) {
  if (flush(wire) && ended_) wire.finish();
}

void DnsService::on_end(Wire& wire) {
  ended_ = true;
  if (answer_.empty()) wire.finish();
}

}  // namespace rehearse::gate
