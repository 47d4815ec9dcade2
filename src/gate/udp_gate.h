// The datagrams of the action that came to the gate: questions to name servers are answered, mocks answer by
// themselves, what a rule passes is sent on from the host's side and answered to where it came from, anything
// else is dropped.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gate/engine_context.h"
#include "gate/name_service.h"
#include "gate/packet.h"
#include "gate/recorder.h"
#include "gate/run_sockets.h"

namespace rehearse::gate {

/// Not thread safe. What it is given outlives it.
class UdpGate {
 public:
  /// Pairs of ends at once. A flow ends a minute after its last datagram.
  static constexpr std::size_t kMostFlows = 4096;

  UdpGate(EngineContext& context, const RunSockets& sockets, NameService& names);
  UdpGate(const UdpGate&) = delete;
  UdpGate& operator=(const UdpGate&) = delete;
  ~UdpGate();

  Result<void> begin();
  /// Ends all flows.
  void finish();
  /// Flows that have ended go when the loop's turn is over.
  void clear_ended();

 private:
  class Flow;
  class Listener;
  struct Ends {
    NetEnd client;
    NetEnd destination;
    // NOLINTNEXTLINE(modernize-use-nullptr): not a pointer, false in clang-tidy 14
    friend auto operator<=>(const Ends&, const Ends&) = default;
  };

  /// Datagrams to a name server that are no question.
  struct Misuse {
    ConnectionRecord record;
    std::uint64_t datagrams = 0;
    std::uint64_t bytes = 0;
  };

  void receive(int fd);
  void take(const Ends& ends, std::string_view payload);
  void open_flow(const Ends& ends, ConnectionRecord record, const PassRule& rule, std::string_view payload);
  void deny(const Ends& ends, ConnectionRecord record, const Decision& decision);
  void mock(const Ends& ends, const Destination& destination, const Decision& decision,
            std::string_view payload);
  void end_mocked();
  void answer(const Ends& ends, std::string_view payload);
  void note_misuse(const Ends& ends, std::string_view payload);
  void end_misused();
  void remove(const Ends& ends);
  [[nodiscard]] ConnectionRecord record_of(const Ends& ends, const Destination& destination);

  static constexpr std::size_t kBatch = 16;
  static constexpr std::size_t kLargest = 65536;

  EngineContext& context_;
  const RunSockets& sockets_;
  NameService& names_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::map<Ends, std::unique_ptr<Flow>> flows_;
  std::vector<std::unique_ptr<Flow>> ended_;
  std::map<Ends, ConnectionRecord> mocked_;  ///< that the log has not yet
  std::map<Ends, Misuse> misused_;           ///< that the log has not yet
  std::set<Ends> denied_;                    ///< that the log has; emptied when there are many
  std::unique_ptr<char[]> buffer_;           ///< for kBatch datagrams; not cleared
};

}  // namespace rehearse::gate
