#include "gate/script_service.h"

#include <fmt/format.h>

#include <utility>

#include "base/star_pattern.h"
#include "gate/redaction.h"

namespace rehearse::gate {
namespace {

constexpr std::size_t kLongestLine = 65536;
constexpr std::size_t kMostQuoted = 200;

std::string_view without_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

bool ScriptService::waits_for_line() const {
  return step_ < script_.steps.size() && script_.steps[step_].expect.has_value();
}

/// Sends up to the next step that waits for a line, or ends.
void ScriptService::advance(Wire& wire) {
  while (!over_ && out_.flush(wire) && !waits_for_line()) {
    if (step_ == script_.steps.size()) {
      over_ = true;
      break;
    }
    const std::string& send = script_.steps[step_++].send;
    Exchange exchange;
    exchange.reply.append(send);
    wire.note(std::move(exchange));
    out_.add_reference(send);
  }
  if (ended_ && !over_ && out_.empty())
    return fail(fmt::format("the client ended before step {} of the script", step_ + 1), wire);
  settle(wire);
}

std::size_t ScriptService::on_bytes(std::string_view bytes, Wire& wire) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    const std::string_view rest = bytes.substr(taken);
    if (over_) {
      after_.append(rest);
      return bytes.size();
    }
    if (!out_.empty()) return taken;
    const std::size_t newline = rest.find('\n');
    const std::size_t size = newline == std::string_view::npos ? rest.size() : newline + 1;
    if (line_.size() + size > kLongestLine) {
      fail("a line is longer than 64 KiB", wire);
      continue;
    }
    line_ += rest.substr(0, size);
    taken += size;
    if (newline != std::string_view::npos) take_line(wire);
  }
  return taken;
}

void ScriptService::take_line(Wire& wire) {
  const ScriptMock::Step& step = script_.steps[step_];
  if (!star_matches(*step.expect, without_end(line_), Star::kTakesAll)) {
    return fail(fmt::format("step {} of the script expects \"{}\", not \"{}\"", step_ + 1, *step.expect,
                            shown_command(without_end(line_)).substr(0, kMostQuoted)),
                wire);
  }
  ++step_;
  Exchange exchange;
  exchange.request.append(std::exchange(line_, {}));
  exchange.reply.append(step.send);
  wire.note(std::move(exchange));
  out_.add_reference(step.send);
  advance(wire);
}

void ScriptService::fail(std::string remark, Wire& wire) {
  Exchange exchange;
  exchange.outcome = Outcome::kUnmatched;
  exchange.remark = std::move(remark);
  exchange.request.append(std::exchange(line_, {}));
  wire.note(std::move(exchange));
  over_ = true;
  settle(wire);
}

void ScriptService::settle(Wire& wire) {
  if (!over_ || finished_) return;
  finished_ = true;
  wire.finish();
}

void ScriptService::on_end(Wire& wire) {
  ended_ = true;
  if (!line_.empty() && !over_) return take_line(wire);  // a last line without its end
  advance(wire);
  if (after_.body_bytes == 0) return;
  Exchange exchange;
  exchange.request = std::exchange(after_, {});
  wire.note(std::move(exchange));
}

void ScriptService::on_writable(Wire& wire) {
  advance(wire);
}

}  // namespace rehearse::gate
