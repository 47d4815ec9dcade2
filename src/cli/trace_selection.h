// Which events of a run are wanted: the options that every verb over a trace takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "trace/event_stream.h"
#include "trace/filter.h"

namespace rehearse::cli {

class CommandLine;

struct SelectionOptions {
  std::string where;
  std::optional<std::uint32_t> process;
  bool follow = false;
  std::string file;
  std::string since;
  std::string until;

  /// --where --process --follow --file --since --until
  void add_to(CommandLine& line);
  /// One of them was given.
  [[nodiscard]] bool any() const;
};

class TraceSelection {
 public:
  static Result<TraceSelection> create(const SelectionOptions& options);

  /// `realtime_offset_ns` and `shift`: as for trace::EventFields. Events come in order.
  bool wants(const trace::TraceEvent& event, const trace::EventStream& stream,
             std::int64_t realtime_offset_ns, std::uint32_t shift);
  /// --process
  [[nodiscard]] std::optional<std::uint32_t> process() const { return process_; }

 private:
  enum class Kin : std::uint8_t { kUnknown, kYes, kNo };

  bool is_process(const trace::Process& process, const trace::ProcessTree& tree);

  std::optional<std::uint32_t> process_;
  bool follow_ = false;
  std::string file_;
  std::optional<trace::Filter> filter_;
  std::int64_t since_ns_ = INT64_MIN;
  std::optional<std::int64_t> until_ns_;
  std::vector<Kin> family_;  ///< by process: whether it descends from `process_`
};

}  // namespace rehearse::cli
