#include "syscalls/structs.h"

#include "syscalls/text.h"

namespace rehearse::syscalls {
namespace {

enum class Direction : std::uint8_t { kIn, kOut, kBoth };

struct Kind {
  Arg kind;
  Direction direction;
  Capture::Length length;
  std::uint8_t unit;
  std::uint16_t most;
  void (*append)(std::string&, const StructView&);
};

constexpr Kind kKinds[] = {
#define STRUCT(name, direction, length, unit, most, printer) \
  {Arg::k##name, Direction::k##direction, Capture::Length::k##length, unit, most, append_##printer},
#include "syscalls/structs.def"
#undef STRUCT
};

const Kind* find(Arg kind) {
  constexpr auto kFirst = static_cast<std::size_t>(kKinds[0].kind);
  const auto at = static_cast<std::size_t>(kind) - kFirst;  // they are enumerated in this order
  return at < std::size(kKinds) ? &kKinds[at] : nullptr;
}

}  // namespace

std::optional<Capture> capture_of(Arg kind, std::uint8_t arg) {
  const Kind* found = find(kind);
  if (found == nullptr) return std::nullopt;
  return Capture{arg,
                 found->direction == Direction::kOut,
                 found->direction == Direction::kBoth,
                 found->length,
                 found->unit,
                 found->most};
}

bool append_struct(std::string& out, const Call& call, std::size_t index, Arg kind) {
  const Kind* found = find(kind);
  if (found == nullptr) return false;
  const auto& bytes = call.blobs[index];
  // Of nothing there is nothing to show, but that a list is empty.
  const bool sized = found->length == Capture::Length::kNext || found->length == Capture::Length::kPointer;
  const bool nothing = bytes && bytes->empty() && sized && found->unit == 1 && kind != Arg::kBytes &&
                       kind != Arg::kOptionValue;
  // What ioctl(2) would have filled in is read whether it has or not.
  const bool unfilled = found->direction == Direction::kOut && call.result < 0;
  if (bytes && !nothing && !unfilled && call.args[index] != 0)
    found->append(out, {std::string_view(*bytes).substr(0, found->most), call, index});
  else
    append_pointer(out, call.args[index]);
  return true;
}

void append_bytes(std::string& out, const StructView& from) {
  append_quoted(out, from.bytes);
  const std::size_t whole = from.index + 1 < kMaxArguments ? from.call.args[from.index + 1] : 0;
  if (whole > from.bytes.size()) out += "...";
}

void append_text(std::string& out, const StructView& from) {
  // getcwd(2) counts the NUL.
  const bool counted = from.call.nr == Nr::getcwd && from.bytes.ends_with('\0');
  append_quoted(out, from.bytes.substr(0, from.bytes.size() - (counted ? 1 : 0)));
  if (from.call.result > static_cast<std::int64_t>(from.bytes.size())) out += "...";
}

}  // namespace rehearse::syscalls
