// Filters of a trace: any text is a filter or one error, and what a filter says of itself holds.
#include <algorithm>

#include "fuzz.h"
#include "trace/filter.h"

using namespace rehearse;
using namespace rehearse::trace;

namespace {

constexpr std::string_view kTypes[] = {"open", "openat", "read", "x"};
constexpr std::string_view kTexts[] = {"",     "/etc/x",     "/usr/bin/cat", "cat",
                                       "Y2F0", "\xff\n\x1b", "-2",           "\xc3\xa4"};

/// Every field has a value, none, or one of a type that it should not have.
class FuzzEvent : public Event {
 public:
  FuzzEvent(std::uint8_t type, std::uint8_t text, std::uint8_t number)
      : type_(type), text_(text), number_(number) {}

  [[nodiscard]] Value value(Field field, const FieldArgument& argument) const override {
    if (field == Field::kEvtType) return kTypes[type_ % std::size(kTypes)];
    const unsigned mix = static_cast<unsigned>(field) + number_;
    if (argument.index > 3) return std::monostate();
    switch (mix % 9) {
      case 0:
        return std::monostate();
      case 1:
        return static_cast<std::int64_t>(number_) - 100;
      case 2:
        return static_cast<std::uint64_t>(number_);
      case 3:
        return (mix & 16U) != 0;
      case 4:
        return IpAddress::v4({10, 0, 0, number_});
      default:
        break;
    }
    // The text is gone when the event is asked again.
    buffer_ = kTexts[(text_ + mix) % std::size(kTexts)];
    return std::string_view(buffer_);
  }
  [[nodiscard]] std::uint32_t type_id() const override {
    return bound_ ? type_ % std::size(kTypes) : kNoTypeId;
  }
  void bind() { bound_ = true; }

 private:
  std::uint8_t type_;
  std::uint8_t text_;
  std::uint8_t number_;
  bool bound_ = false;
  mutable std::string buffer_;
};

std::uint32_t id_of(std::string_view name) {
  const auto* const found = std::ranges::find(kTypes, name);
  return found == std::end(kTypes) ? Event::kNoTypeId
                                   : static_cast<std::uint32_t>(found - std::begin(kTypes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Bytes in(data, size);
  FuzzEvent event(in.byte(), in.byte(), in.byte());
  const std::string text(in.rest());
  auto filter = Filter::parse(text);
  if (!filter) {
    FUZZ_REQUIRE(filter.error().exit == ExitCode::kUsage && !filter.error().fix.empty());
    FUZZ_REQUIRE(filter.error().what.starts_with("filter, column ") && filter.error().what.size() < 600);
    return 0;
  }
  const bool matched = filter->matches(event);
  FUZZ_REQUIRE(!filter->fields_used().empty());
  if (const auto types = filter->required_types(); types && matched)
    FUZZ_REQUIRE(std::ranges::find(*types, std::get<std::string_view>(event.value(Field::kEvtType, {}))) !=
                 types->end());
  if (const auto ids = filter->required_numbers(Field::kProcId); ids && matched) {
    const Value id = event.value(Field::kProcId, {});
    const auto* positive = std::get_if<std::uint64_t>(&id);
    const auto* any = std::get_if<std::int64_t>(&id);
    FUZZ_REQUIRE(positive != nullptr || any != nullptr);
    FUZZ_REQUIRE(std::ranges::find(*ids, any != nullptr ? *any : static_cast<std::int64_t>(*positive)) !=
                 ids->end());
  }
  if (const auto opposite = Filter::parse("not (" + text + "\n)"))
    FUZZ_REQUIRE(opposite->matches(event) != matched);
  if (const auto twice = Filter::parse("(" + text + "\n) and not not(" + text + "\n)"))
    FUZZ_REQUIRE(twice->matches(event) == matched);
  filter->bind_types(id_of);
  event.bind();
  FUZZ_REQUIRE(filter->matches(event) == matched);
  return 0;
}
