// What evt.type can be: the names of system calls as they are shown, and words for events that are none.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "trace/event_stream.h"

namespace rehearse::trace {

/// "procexec"; "" for a system call.
std::string_view event_word(EventType type);

/// A small number for a name of the table of system calls or an event's word; Event::kNoTypeId for others.
std::uint32_t event_type_id(std::string_view name);

/// Whether an event can be of that type: also "i386 open", "x32 getpid" and "syscall_0x258".
bool is_event_type(std::string_view name);

/// The type that was meant by a mistyped one, "" if there is none near.
std::string_view nearest_event_type(std::string_view name);

}  // namespace rehearse::trace
