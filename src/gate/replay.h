// The exchanges of an earlier run as the mocks of this one: one for each destination.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gate/exchange.h"
#include "gate/recording.h"
#include "gate/redaction.h"
#include "gate/rules.h"

namespace rehearse::gate {

/// Owns what the mocks answer from: outlives the rules that it was added to.
class Replay {
 public:
  Replay() = default;
  /// `place` is what the rules are called in reports; `rules` are what the exchanges were written with.
  Replay(std::vector<KeptExchange> exchanges, const std::string& place, const RedactionRules& rules = {});

  /// One mock for each destination that exchanges were kept of: its name, or its address if it had none. What
  /// the operator has mocked already stays as it is. Datagrams are not replayed.
  void add_to(Rules& rules) const;

 private:
  struct Destination {
    Endpoint endpoint;
    std::unique_ptr<Recording> recording;
  };
  std::string place_;
  std::vector<Destination> destinations_;
};

}  // namespace rehearse::gate
