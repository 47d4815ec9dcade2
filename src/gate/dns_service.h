// DNS over TCP (RFC 7766).
#pragma once

#include <string>

#include "gate/dns_stream.h"
#include "gate/name_service.h"
#include "gate/service.h"

namespace rehearse::gate {

/// Holds one query and one answer.
class DnsService final : public Service {
 public:
  explicit DnsService(NameService& names) : names_(names) {}
  std::size_t on_bytes(std::string_view bytes, Wire& wire) override;
  void on_end(Wire& wire) override;
  void on_writable(Wire& wire) override;

 private:
  bool flush(Wire& wire);

  NameService& names_;
  DnsStream stream_;
  std::string answer_;  ///< what is still to be sent of it
  bool ended_ = false;
};

}  // namespace rehearse::gate
