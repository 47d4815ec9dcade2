// DNS over TCP (RFC 7766).
#pragma once

#include <cstdint>
#include <string>

#include "gate/dns_stream.h"
#include "gate/name_service.h"
#include "gate/service.h"

namespace rehearse::gate {

/// Holds one query and one answer.
class DnsService final : public Service {
 public:
  DnsService(NameService& names, const QuestionEnds& ends) : names_(names), ends_(ends) {}
  std::size_t on_bytes(std::string_view bytes, Wire& wire) override;
  void on_end(Wire& wire) override;
  void on_writable(Wire& wire) override;
  [[nodiscard]] std::string misuse() const override;

 private:
  bool flush(Wire& wire);

  NameService& names_;
  QuestionEnds ends_;
  DnsStream stream_;
  std::string answer_;  ///< what is still to be sent of it
  bool ended_ = false;
  std::uint64_t bytes_ = 0;        ///< that came
  std::uint64_t asked_bytes_ = 0;  ///< of them, of questions
};

}  // namespace rehearse::gate
