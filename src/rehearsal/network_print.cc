#include "rehearsal/network_print.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "base/units.h"
#include "gate/rule_text.h"

namespace rehearse {
namespace {

using nlohmann::json;

const char* kind_of(const gate::Mock& mock) {
  if (std::holds_alternative<gate::HttpMock>(mock.service)) return mock.tls ? "http over TLS" : "http";
  if (std::holds_alternative<gate::SmtpMock>(mock.service)) return "smtp";
  if (std::holds_alternative<gate::ScriptMock>(mock.service)) return mock.tls ? "script over TLS" : "script";
  if (std::holds_alternative<gate::DatagramMock>(mock.service)) return "datagrams";
  return "recording";
}

std::uint64_t capture_of(const Options& options) {
  return options.capture_bytes.value_or(kCaptureBytes);
}

}  // namespace

std::string network_text(const NetworkPlan& plan, const Options& options) {
  std::string text = "\nNetwork\n";
  if (!options.trace) return text + "  the loopback device alone: no trace, no gate\n";
  const auto line = [&text](const char* what, const std::string& value) {
    text += fmt::format("  {:<8} {}\n", what, escape_text(value));
  };
  for (const gate::DenyRule& rule : plan.rules.deny) line("deny", gate::to_text(rule));
  for (const gate::Mock& mock : plan.rules.mock)
    line("mock", fmt::format("{} {} ({})", gate::to_text(mock.listen), kind_of(mock), mock.place));
  for (const gate::PassRule& rule : plan.rules.pass) line("pass", gate::to_text(rule));
  if (!options.replay.empty()) line("replay", options.replay);
  text += fmt::format("  anything else is denied with {}\n", gate::to_text(plan.rules.otherwise));
  text += plan.dns.nxdomain ? "  names that nothing above speaks of do not exist\n"
                            : "  every name is answered with an address that stands for it\n";
  text += plan.mirror ? "  interfaces, addresses and routes are the host's\n"
                      : "  the loopback device is the only interface\n";
  text += fmt::format("  of packets, {} are kept\n", format_bytes(capture_of(options)));
  return text;
}

json network_json(const NetworkPlan& plan, const Options& options) {
  json deny = json::array();
  for (const gate::DenyRule& rule : plan.rules.deny) deny.push_back(to_utf8_lossy(gate::to_text(rule)));
  json mock = json::array();
  for (const gate::Mock& one : plan.rules.mock)
    mock.push_back({{"listen", to_utf8_lossy(gate::to_text(one.listen))},
                    {"service", kind_of(one)},
                    {"place", to_utf8_lossy(one.place)}});
  json pass = json::array();
  for (const gate::PassRule& rule : plan.rules.pass) pass.push_back(to_utf8_lossy(gate::to_text(rule)));
  json document = {{"gate", options.trace},
                   {"deny", std::move(deny)},
                   {"mock", std::move(mock)},
                   {"pass", std::move(pass)},
                   {"otherwise", gate::to_text(plan.rules.otherwise)},
                   {"nxdomain", plan.dns.nxdomain},
                   {"mirror", plan.mirror},
                   {"capture_bytes", capture_of(options)}};
  if (!options.replay.empty()) document["replay"] = to_utf8_lossy(options.replay);
  return document;
}

}  // namespace rehearse
