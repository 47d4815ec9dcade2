// Bytes and numbers as strace writes them. Printable ASCII comes out, whatever goes in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rehearse::syscalls {

/// A C string literal: "\n", "\33", three digits where another digit follows.
void append_quoted(std::string& out, std::string_view bytes);

/// 0x1f; "0" for zero.
void append_hex(std::string& out, std::uint64_t value);

/// 0x1f; "NULL" for zero.
void append_pointer(std::string& out, std::uint64_t value);

/// At least three octal digits: 0644, 000.
void append_mode(std::string& out, std::uint64_t mode);

/// makedev(0x8, 0x1) from the kernel's encoding of a device number in 32 bits.
void append_device(std::string& out, std::uint64_t dev);

}  // namespace rehearse::syscalls
