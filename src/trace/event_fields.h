// An event as filters see it.
#pragma once

#include <optional>
#include <string>

#include "trace/event_stream.h"
#include "trace/value.h"

namespace rehearse::trace {

class EventFields final : public Event {
 public:
  /// All are borrowed. `shift`: what the run's user namespace adds to ids; `realtime_offset_ns` makes a
  /// monotonic time one since 1970.
  EventFields(const TraceEvent& event, const EventStream& stream, std::int64_t realtime_offset_ns,
              std::uint32_t shift)
      : event_(event), stream_(stream), offset_(realtime_offset_ns), shift_(shift) {}

  [[nodiscard]] Value value(Field field, const FieldArgument& argument) const override;
  [[nodiscard]] std::uint32_t type_id() const override;

 private:
  [[nodiscard]] Value event_value(Field field, const FieldArgument& argument) const;
  [[nodiscard]] Value argument_value(const FieldArgument& argument) const;
  [[nodiscard]] Value result_value() const;
  [[nodiscard]] Value process_value(Field field, const FieldArgument& argument) const;
  [[nodiscard]] Value fd_value(Field field) const;
  [[nodiscard]] Value name_value(Field field) const;
  [[nodiscard]] Value path_value(Field field) const;
  [[nodiscard]] Value address_value(Field field) const;
  [[nodiscard]] std::optional<Endpoint> server() const;
  [[nodiscard]] std::string ends() const;
  [[nodiscard]] Value signal_value(Field field) const;
  [[nodiscard]] Value type() const;
  [[nodiscard]] const Process* parent() const;
  [[nodiscard]] const Process* ancestor(std::int64_t distance) const;
  [[nodiscard]] Value keep(std::string text) const;
  [[nodiscard]] std::uint32_t inside(std::uint32_t id) const { return id >= shift_ ? id - shift_ : id; }

  const TraceEvent& event_;
  const EventStream& stream_;
  std::int64_t offset_;
  std::uint32_t shift_;
  mutable std::string text_;  ///< behind the last text handed out
};

}  // namespace rehearse::trace
