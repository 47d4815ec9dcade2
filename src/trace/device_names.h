// Names below /dev: which of them stand for devices on a host, and for what kind.
#pragma once

#include <cstdint>
#include <string_view>

namespace rehearse::trace {

/// A name in /dev that would be a device on a host.
bool is_device(std::string_view path);

/// "device" for those that are known to be neither disks nor memory (terminals, clocks, random numbers,
/// sound, input); "raw device" for the others: those are not known by their names alone, a volume has any.
std::string_view device_kind(std::string_view path);
/// The same of one that is made, by its numbers.
std::string_view device_kind(bool block, std::uint32_t major, std::uint32_t minor);

}  // namespace rehearse::trace
