// How many events a second a filter decides, on one core: build/release/tests/filter_speed [FILTER]
#include <cstdio>

#include "base/clock.h"
#include "trace/filter.h"

using namespace rehearse;
using namespace rehearse::trace;

namespace {

class PlainEvent : public Event {
 public:
  std::uint32_t type = 0;
  std::uint64_t number = 0;

  [[nodiscard]] Value value(Field field, const FieldArgument& /*argument*/) const override {
    switch (field) {
      case Field::kEvtType:
        return kTypes[type];
      case Field::kEvtNum:
        return number;
      case Field::kProcPid:
        return static_cast<std::int64_t>(number % 64);
      case Field::kProcName:
        return std::string_view("postgres");
      case Field::kFdName:
        return std::string_view("/usr/lib/x86_64-linux-gnu/libc.so.6");
      case Field::kFdCip:
        return IpAddress::v4({10, 1, 2, 3});
      default:
        return std::monostate();
    }
  }
  [[nodiscard]] std::uint32_t type_id() const override { return type; }

  static constexpr std::string_view kTypes[] = {"openat", "read", "write", "close", "connect"};
};

void measure(const char* text) {
  auto filter = Filter::parse(text);
  if (!filter) {
    std::printf("%s\n", filter.error().what.c_str());
    return;
  }
  filter->bind_types([](std::string_view name) {
    for (std::uint32_t i = 0; i < std::size(PlainEvent::kTypes); ++i) {
      if (PlainEvent::kTypes[i] == name) return i;
    }
    return Event::kNoTypeId;
  });
  constexpr std::uint64_t kEvents = 5'000'000;
  PlainEvent event;
  std::uint64_t matched = 0;
  const auto start = monotonic_ns();
  for (std::uint64_t i = 0; i < kEvents; ++i) {
    event.type = static_cast<std::uint32_t>(i % std::size(PlainEvent::kTypes));
    event.number = i;
    matched += filter->matches(event) ? 1 : 0;
  }
  const auto took = static_cast<double>(monotonic_ns() - start);
  std::printf("%7.1f million/s  %8lu matched  %s\n", static_cast<double>(kEvents) * 1e3 / took, matched,
              text);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    for (int i = 1; i < argc; ++i) measure(argv[i]);
    return 0;
  }
  for (const char* text :
       {"evt.type = openat", "evt.type in (read, write, connect)", "proc.pid = 42",
        "proc.pid in (1, 2, 42, 50)", "proc.name = postgres", "fd.name startswith /etc",
        "fd.name contains gnu", "fd.name in (/etc/passwd, /etc/shadow)",
        "evt.type = openat and proc.pid != 1 and not fd.name startswith /usr",
        "fd.name pmatch (/etc, /usr/lib)", "fd.name glob *.so.*", "fd.name icontains GNU",
        "fd.cip = 10.0.0.0/8", "fd.name regex '/usr/.*[.]so.*'", "basename(fd.name) = libc.so.6"})
    measure(text);
}
