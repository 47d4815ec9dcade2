#include "gate/http_service.h"
#include "gate/recording.h"
#include "gate/replay_service.h"
#include "gate/script_service.h"
#include "gate/service.h"
#include "gate/smtp_service.h"

namespace rehearse::gate {
namespace {

std::unique_ptr<Service> service_of(const HttpMock& mock) {
  return std::make_unique<HttpMockService>(mock);
}
std::unique_ptr<Service> service_of(const SmtpMock& mock) {
  return std::make_unique<SmtpService>(mock);
}
std::unique_ptr<Service> service_of(const ScriptMock& mock) {
  return std::make_unique<ScriptService>(mock);
}

std::unique_ptr<Service> service_of(const ReplayMock& mock) {
  return make_replay_service(*mock.recording);
}

/// Of UDP: no connection is ever made to it.
std::unique_ptr<Service> service_of(const DatagramMock& /*mock*/) {
  return nullptr;
}

}  // namespace

std::unique_ptr<Service> make_service(const MockService& mock) {
  return std::visit([](const auto& known) { return service_of(known); }, mock);
}

std::unique_ptr<Service> make_replay_service(Recording& recording) {
  switch (recording.kind()) {
    case ExchangeKind::kHttp:
      return std::make_unique<HttpReplayService>(recording);
    case ExchangeKind::kSmtp:
      return std::make_unique<SmtpReplayService>(recording);
    case ExchangeKind::kStream:
      break;
  }
  return std::make_unique<StreamReplayService>(recording);
}

}  // namespace rehearse::gate
