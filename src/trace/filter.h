// A filter over the events of a trace, in the language of libsinsp (Falco, sysdig): `rehearse trace --where`.
//
// As in libsinsp, a comparison with a field that an event does not have is false, also `!=`; `not` turns that
// around: `not fd.name = x` is true for events without fd.name, `fd.name != x` is not.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trace/filter_parser.h"

namespace rehearse::trace {

class Filter {
 public:
  /// kUsage if the text is no filter; the error names the column and the remedy.
  static Result<Filter> parse(std::string_view text);

  /// Allocates only for functions (tolower() and so on), val(), and regex on text that is not UTF-8.
  [[nodiscard]] bool matches(const Event& event) const;

  /// In the order of the enum, each once.
  [[nodiscard]] std::span<const Field> fields_used() const { return fields_; }

  /// From now on evt.type is compared as Event::type_id(). `id_of` gives the id of a name, kNoTypeId if no
  /// event has it. Ids from 65536 up leave the comparison to the names.
  void bind_types(const std::function<std::uint32_t(std::string_view)>& id_of);

  /// An event whose evt.type is none of these cannot match. nullopt: nothing is known; empty: none matches.
  [[nodiscard]] std::optional<std::vector<std::string>> required_types() const;
  /// The same for fields of whole numbers (proc.id, proc.pid, thread.tid, …).
  [[nodiscard]] std::optional<std::vector<std::int64_t>> required_numbers(Field field) const;

 private:
  /// A check and where to go on; from kReject up there is nothing left to do.
  struct Step {
    std::uint32_t check;
    std::uint32_t if_true;
    std::uint32_t if_false;
  };
  static constexpr std::uint32_t kReject = 0xfffffffe;
  static constexpr std::uint32_t kAccept = 0xffffffff;

  explicit Filter(ParsedFilter parsed);
  std::uint32_t emit(const FilterNode& node, std::uint32_t if_true, std::uint32_t if_false);

  ParsedFilter parsed_;
  std::vector<Step> steps_;
  std::uint32_t start_ = kReject;
  std::vector<Field> fields_;
};

}  // namespace rehearse::trace
