// Says what a script says, step by step (ScriptMock), then ends its side. Each step is an exchange, so that
// the conversation can be replayed; a line that is not the expected one is noted as unmatched and ends it.
#pragma once

#include "gate/outbox.h"
#include "gate/service.h"

namespace rehearse::gate {

class ScriptService final : public Service {
 public:
  /// The script outlives the service.
  explicit ScriptService(const ScriptMock& script) : script_(script) {}

  void on_open(Wire& wire) override { advance(wire); }
  std::size_t on_bytes(std::string_view bytes, Wire& wire) override;
  void on_end(Wire& wire) override;
  void on_writable(Wire& wire) override;

 private:
  void advance(Wire& wire);
  void take_line(Wire& wire);
  void fail(std::string remark, Wire& wire);
  void settle(Wire& wire);
  [[nodiscard]] bool waits_for_line() const;

  const ScriptMock& script_;
  std::size_t step_ = 0;
  std::string line_;  ///< of the client, with its end; at most kLongestLine
  Part after_;        ///< what came when the script was over
  Outbox out_;
  bool over_ = false;      ///< no step follows
  bool ended_ = false;     ///< the client sends no more
  bool finished_ = false;  ///< the wire was told to finish
};

}  // namespace rehearse::gate
