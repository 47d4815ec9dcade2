#include "trace/event_types.h"

#include <algorithm>
#include <vector>

#include "base/edit_distance.h"
#include "trace/value.h"

namespace rehearse::trace {
namespace {

/// By EventType, from kExec on.
constexpr std::string_view kWords[] = {"procexec", "procstart",  "procexit",     "signaldeliver",
                                       "iouring",  "netverdict", "modulerequest"};
static_assert(std::size(kWords) == static_cast<std::size_t>(EventType::kModule));
/// Above all system calls.
constexpr std::uint32_t kWordIds = 1U << 15U;
/// 32-bit numbers of calls without a name that can be asked for.
constexpr std::size_t kMostDigits = 8;

bool is_number(std::string_view name) {
  constexpr std::string_view kStart = "syscall_0x";
  if (!name.starts_with(kStart)) return false;
  name.remove_prefix(kStart.size());
  return !name.empty() && name.size() <= kMostDigits &&
         name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_i386(std::string_view name) {
  constexpr std::uint32_t kMostI386 = 512;
  for (std::uint32_t nr = 0; nr < kMostI386; ++nr) {
    if (const std::string_view known = syscalls::i386_name(nr); !known.empty() && known == name) return true;
  }
  return is_number(name);
}

}  // namespace

std::string_view event_word(EventType type) {
  return type == EventType::kCall ? std::string_view() : kWords[static_cast<std::size_t>(type) - 1];
}

std::uint32_t event_type_id(std::string_view name) {
  if (const syscalls::Syscall* call = syscalls::find_syscall(name)) return call->nr;
  const auto* const found = std::ranges::find(kWords, name);
  if (found == std::end(kWords)) return Event::kNoTypeId;
  return kWordIds + static_cast<std::uint32_t>(found - std::begin(kWords));
}

bool is_event_type(std::string_view name) {
  constexpr std::string_view kI386 = "i386 ", kX32 = "x32 ";
  if (name.starts_with(kI386)) return is_i386(name.substr(kI386.size()));
  if (name.starts_with(kX32)) name.remove_prefix(kX32.size());
  return event_type_id(name) != Event::kNoTypeId || is_number(name);
}

std::string_view nearest_event_type(std::string_view name) {
  std::vector<std::string_view> all(std::begin(kWords), std::end(kWords));
  for (const syscalls::Syscall& call : syscalls::all_syscalls()) all.push_back(call.name);
  return nearest_word(name, all);
}

}  // namespace rehearse::trace
