// What an event answers when it is asked for a field, and how it is asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/ip_address.h"
#include "trace/field.h"
#include "trace/literal.h"

namespace rehearse::trace {

/// A number that is called something: 577 and "O_WRONLY|O_CREAT|O_TRUNC". It equals either.
struct NamedNumber {
  Number number = 0;
  std::string_view text;
};

/// monostate: the event has no such field. Times are nanoseconds, absolute ones since 1970.
using Value =
    std::variant<std::monostate, bool, std::int64_t, std::uint64_t, std::string_view, IpAddress, NamedNumber>;

/// What stands behind a field's name: `proc.aname[2]`, `evt.arg[path]`, `evt.arg.path`.
struct FieldArgument {
  static constexpr std::int64_t kNone = -1;

  std::string name;            ///< empty if there is none or it is a number
  std::int64_t index = kNone;  ///< 0 and up if it is a number

  [[nodiscard]] bool given() const { return index != kNone || !name.empty(); }
};

/// One event as the filter sees it. Text in a Value has to stay valid until the next call of value().
class Event {
 public:
  static constexpr std::uint32_t kNoTypeId = 0xffffffff;

  Event() = default;
  Event(const Event&) = default;
  Event& operator=(const Event&) = default;
  virtual ~Event() = default;

  [[nodiscard]] virtual Value value(Field field, const FieldArgument& argument) const = 0;
  /// A small number that stands for evt.type (Filter::bind_types), kNoTypeId if the event has none.
  [[nodiscard]] virtual std::uint32_t type_id() const { return kNoTypeId; }
};

}  // namespace rehearse::trace
