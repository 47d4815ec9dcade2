#include "gate/dns_service.h"

namespace rehearse::gate {

std::size_t DnsService::on_bytes(std::string_view bytes, Wire& wire) {
  std::string_view rest = bytes;
  while (flush(wire)) {
    const auto query = stream_.next(rest);
    if (stream_.failed()) {
      wire.reset();
      return bytes.size();
    }
    if (!query) break;
    const std::string answer = names_.answer(*query, DnsTransport::kTcp);
    if (!answer.empty()) answer_ = dns_frame(answer);
  }
  return bytes.size() - rest.size();
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
