// What the manager's worker and the supervisor say to each other, on a stream socket.
//
// A message: its length (u32, little-endian, of what follows), a topic, numbers and texts (base/codec.h).
// The supervisor does not trust the worker, which reads what the action sends: what it says is checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "units/manager.h"

namespace rehearse::units {

enum class Topic : std::uint8_t {
  // worker to supervisor
  kProperties = 1,  ///< texts: unit, interface; answered by kValue or kFailure
  kProcesses,       ///< texts: unit; answered likewise
  kEdit,            ///< numbers: ticket; texts: words for systemctl; answered by kEdited
  kRequest,         ///< a UnitRequest
  kUnrecorded,      ///< numbers: how many requests have not been kept, so far
  kClient,  ///< numbers: a client's process as this worker sees it; answered by kValue: as it sees itself
  // supervisor to worker
  kValue,    ///< texts: it
  kFailure,  ///< texts: why
  kStop,     ///< nothing of the action lives any more: what is still in sockets is looked at, then it ends
  kEdited,   ///< numbers: ticket, exit status + 1 (0: none); texts: standard output and error
};

struct WorkerMessage {
  Topic topic = Topic::kProperties;
  std::vector<std::uint64_t> numbers;
  std::vector<std::string> texts;
};

/// A longer one is not taken. The properties of a unit are a few kilobytes.
inline constexpr std::size_t kMaxWorkerMessage = 16U << 20U;

std::string encode(const WorkerMessage& message);
/// Takes the first message off `input`; nothing if it is not whole yet. kDataError if it is none.
Result<std::optional<WorkerMessage>> take_message(std::string& input);

WorkerMessage to_message(const UnitRequest& request);
/// kDataError if it is none.
Result<UnitRequest> to_request(WorkerMessage message);

}  // namespace rehearse::units
