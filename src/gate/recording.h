// The recorded exchanges of one destination, as a replay answers from them. Shared by the connections of a
// run to it, in one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "gate/exchange.h"
#include "gate/redaction.h"

namespace rehearse::gate {

/// How well a recorded exchange fits what is asked now.
enum class Fit : std::uint8_t {
  kNone,
  kExact,   ///< the next one recorded for this request
  kBody,    ///< recorded for this request with another body
  kRepeat,  ///< asked more often than recorded
};

class Recording {
 public:
  struct Found {
    const Exchange* exchange = nullptr;
    Fit fit = Fit::kNone;
  };

  /// The exchanges are of one destination, in the order of their time; `rules` are those that they were
  /// written with.
  explicit Recording(std::vector<KeptExchange> exchanges, RedactionRules rules = {});

  /// What the connections speak: the kind of the first exchange.
  [[nodiscard]] ExchangeKind kind() const;
  /// Whether all of it was within TLS that the gate ended, or nothing; absent if that differs or is not
  /// known.
  [[nodiscard]] std::optional<bool> tls() const { return tls_; }
  /// The exchange to answer a request of HTTP or a mail with; it counts as used from now on. What names the
  /// request is its head (of HTTP without the version), for a mail its recipients, and the body, secrets
  /// hidden.
  Found find(Part request);
  /// The turns of the next recorded connection of a stream; nullptr when all are used.
  const std::vector<Exchange>* next_conversation();
  /// Exchanges (of a stream: turns) that nobody asked for.
  [[nodiscard]] std::size_t unused() const;

 private:
  /// Exchanges with the same key, in order, and how many of them are used.
  struct Queue {
    std::vector<std::size_t> indexes;
    std::size_t next = 0;
  };
  using Queues = std::unordered_map<std::string, Queue>;

  std::size_t take(Queue& queue);

  std::vector<Exchange> exchanges_;
  std::vector<bool> used_;
  Queues by_all_;
  Queues by_head_;
  std::vector<std::vector<Exchange>> conversations_;
  std::size_t next_conversation_ = 0;
  std::optional<bool> tls_;
  RedactionRules rules_;
};

}  // namespace rehearse::gate
