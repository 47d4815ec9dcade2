#include "sandbox/init/supervisor_link.h"

#include <cstring>

#include "sandbox/init/raw.h"

// The compiler makes calls of these two.
extern "C" void* memset(void* to, int value, std::size_t size) noexcept {
  auto* bytes = static_cast<volatile char*>(to);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(value);
  return to;
}
extern "C" void* memcpy(void* to, const void* from, std::size_t size) noexcept {
  auto* out = static_cast<volatile char*>(to);
  const auto* in = static_cast<const char*>(from);
  for (std::size_t i = 0; i < size; ++i) out[i] = in[i];
  return to;
}

namespace rehearse::sandbox {

using raw::call;

InitConfig* config = nullptr;

void send(const InitMessage& message) {
  while (call(SYS_write, kInitControlFd, &message, sizeof message) == -kEintr) {
  }
}

[[noreturn]] void quit(int code) {
  while (true) call(SYS_exit_group, code);
}

[[noreturn]] void fail(InitStep step, long error) {
  InitMessage message = {};
  message.event = InitEvent::kFailed;
  message.step = step;
  message.error = static_cast<std::int32_t>(error < 0 ? -error : error);
  send(message);
  quit(1);
}

void must(long result, InitStep step) {
  if (result < 0) fail(step, result);
}

/// Offsets in the (private) mapping become pointers, in place.
static void relocate(std::uint32_t offset, std::uint32_t count) {
  auto* words = at<std::uint64_t>(offset);
  for (std::uint32_t i = 0; i < count; ++i) words[i] += reinterpret_cast<std::uint64_t>(config);
}

void read_config() {
  struct {
    char bytes[16];
  } head = {};
  const long n = call(SYS_pread64, kInitConfigFd, &head, sizeof head, 0);
  InitConfig first = {};
  if (n != sizeof head) fail(InitStep::kReadConfig, n < 0 ? n : kEnoent);
  memcpy(&first, &head, 8);
  if (first.magic != kInitMagic) fail(InitStep::kReadConfig, kEnoent);
  const long map = call(SYS_mmap, 0, first.size, 3 /* RW */, 2 /* MAP_PRIVATE */, kInitConfigFd, 0);
  must(map, InitStep::kReadConfig);
  config = reinterpret_cast<InitConfig*>(map);
  relocate(config->argv, config->argc);
  relocate(config->envp, config->envc);
  relocate(config->candidates, config->candidate_count);
  call(SYS_close, kInitConfigFd);
}

long receive(int socket, void* buffer, std::size_t size, int* fds, std::size_t count) {
  IoVec iov = {buffer, size};
  alignas(8) char control[64];
  while (true) {
    memset(control, 0, sizeof control);
    MsgHdr header = {nullptr, 0, &iov, 1, control, sizeof control, 0};
    const long n = call(SYS_recvmsg, socket, &header, kMsgCmsgCloexec);
    if (n == -kEintr) continue;
    if (n <= 0) return n;
    CmsgHdr head = {};
    memcpy(&head, control, sizeof head);
    if (head.level != kSolSocket || head.type != kScmRights ||
        head.size != sizeof(CmsgHdr) + count * sizeof(int)) {
      return kNoDescriptors;
    }
    memcpy(fds, control + sizeof(CmsgHdr), count * sizeof(int));
    return n;
  }
}

}  // namespace rehearse::sandbox
