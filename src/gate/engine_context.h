// What the parts of the engine share: one thread's.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "gate/event_loop.h"
#include "gate/exchange_file.h"
#include "gate/gate_log.h"
#include "gate/pass_budget.h"
#include "gate/resolver.h"
#include "gate/rules.h"
#include "gate/tls_server.h"

namespace rehearse::gate {

class Connection;
class Door;

/// Borrowed all, but for the buffer.
struct EngineContext {
  EngineContext(EventLoop& its_loop, const Rules& its_rules, GateLogWriter& its_log, GateTotals& its_totals)
      : loop(its_loop), rules(its_rules), log(its_log), totals(its_totals) {}

  EventLoop& loop;
  const Rules& rules;
  GateLogWriter& log;
  GateTotals& totals;
  const Door* door = nullptr;           ///< from the engine's begin() on
  Resolver* resolver = nullptr;         ///< null: no rule passes anything
  TlsContext* tls = nullptr;            ///< null: no mock speaks TLS
  ExchangeWriter* exchanges = nullptr;  ///< null: none are kept
  std::int64_t begun_ns = 0;            ///< when the run began, of CLOCK_MONOTONIC

  /// And flows: counted to give each a number.
  std::uint64_t connections = 0;
  /// Sockets on the host's side, and how many there may be.
  std::size_t outside = 0;
  std::size_t most_outside = 0;
  /// The budget of each pass rule, in the order of the rules.
  std::vector<PassBudget> budgets;
  /// No more may be held: who wants to is ended.
  bool memory_used_up = false;
  /// Connections that have ended go when the loop's turn is over.
  std::vector<Connection*> ended;
  /// Bytes that relays have read and could not pass on yet.
  std::size_t held = 0;
  /// For one read; nobody relies on what is in it later.
  std::array<char, std::size_t{64} << 10U> buffer;
  /// As `buffer`, of relays.
  std::array<char, std::size_t{256} << 10U> piece;

  PassBudget& budget(const PassRule& rule) {
    return budgets[static_cast<std::size_t>(&rule - rules.pass.data())];
  }
};

/// Into the file of exchanges, if one is kept.
void keep_exchange(EngineContext& context, const ConnectionRecord& from, Exchange exchange);

/// The addresses of the record's name that `rule` lets the gate connect to, at least one; those of the family
/// that the action chose come first.
Result<std::vector<IpAddress>> passable(const EngineContext& context, const PassRule& rule,
                                        const ConnectionRecord& record, const Resolver::Answer& answer);

/// Rules as the log names them.
std::string rule_text(const Decision& decision);

}  // namespace rehearse::gate
