// Type signatures and names of the D-Bus wire format.
//
// Source: D-Bus Specification 0.42, "Type System" and "Valid Names". All functions are pure, total and
// linear.
#pragma once

#include <cstddef>
#include <string_view>

namespace rehearse::units {

/// Arrays, structs, dict entries and variants within one another. The specification allows 32 arrays and 32
/// structs; nothing that a service manager says or hears nests deeper than eight.
inline constexpr std::size_t kMaxNesting = 32;

/// Length of the first complete type of `signature`, 0 if it does not begin with one. "h" (a descriptor) is
/// no type here: descriptors are never accepted.
std::size_t complete_type(std::string_view signature);
/// A sequence of complete types of at most 255 characters.
bool is_signature(std::string_view text);
/// Alignment of a value of the type that begins with `code`, in bytes.
std::size_t type_alignment(char code);

bool is_object_path(std::string_view text);
/// Member names, and the elements of interface and error names: [A-Za-z0-9_], no digit first, up to 255.
bool is_member_name(std::string_view text);
bool is_interface_name(std::string_view text);
/// Unique (":1.5") or well-known ("org.example.x-y").
bool is_bus_name(std::string_view text);

}  // namespace rehearse::units
