// Calls whose strings may not be what the kernel acted on: changed while the call ran, or read by the
// recorder too late or at no time. Listed once each, with how often.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "trace/event_stream.h"

namespace rehearse::trace {

enum class Doubt : std::uint8_t { kChanged, kLate, kUnread };

struct DoubtfulCall {
  std::uint32_t process = 0;
  std::string text;   ///< name and arguments as the trace shows them
  std::string truth;  ///< of an open: the file that the kernel opened; "" where it does not tell
  auto operator<=>(const DoubtfulCall&) const = default;
};

class ArgumentDoubts {
 public:
  /// Takes the next event of `events`.
  void add(const TraceEvent& event, const EventStream& events);
  /// The first hundred of each kind, and how often each was seen.
  using List = std::map<std::pair<Doubt, DoubtfulCall>, std::uint64_t>;
  [[nodiscard]] const List& list() const { return list_; }
  /// How many calls there were of that kind, listed or not.
  [[nodiscard]] std::uint64_t total(Doubt doubt) const { return totals_[static_cast<std::size_t>(doubt)]; }

 private:
  List list_;
  std::uint64_t totals_[3] = {};
  std::size_t listed_[3] = {};
};

}  // namespace rehearse::trace
