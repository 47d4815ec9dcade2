// What PID 1 of a sandbox is told and tells: its configuration, messages to the supervisor, requests from it.
#pragma once

#include "sandbox/init/kernel_abi.h"
#include "sandbox/init/protocol.h"

namespace rehearse::sandbox {

/// A private, writable mapping of the whole configuration; set by read_config().
extern InitConfig* config;

/// What lies `offset` bytes into the configuration.
template <class T>
T* at(std::uint32_t offset) {
  return reinterpret_cast<T*>(reinterpret_cast<char*>(config) + offset);
}

/// Maps what the supervisor left in kInitConfigFd and closes it; offsets of strings become pointers.
void read_config();

void send(const InitMessage& message);
[[noreturn]] void quit(int code);
/// Tells the supervisor what could not be done (`error`: an errno of either sign) and ends.
[[noreturn]] void fail(InitStep step, long error);
/// fail() if `result` is a negative errno.
void must(long result, InitStep step);

constexpr long kNoDescriptors = -1000;
constexpr std::size_t kMostDescriptors = 4;
/// One message with `count` descriptors, which land in `fds` close-on-exec. Its size; negative: an errno, or
/// kNoDescriptors.
long receive(int socket, void* buffer, std::size_t size, int* fds, std::size_t count);

}  // namespace rehearse::sandbox
