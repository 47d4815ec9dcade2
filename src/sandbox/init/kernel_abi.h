// Kernel ABI that only libc headers define, for PID 1, which has no libc. x86-64.
#pragma once

#include <cstddef>

namespace rehearse::sandbox {

inline constexpr unsigned long kSigIgn = 1;
inline constexpr long kSigchld = 17;
inline constexpr int kNsig = 64;
inline constexpr long kMsgCmsgCloexec = 0x40000000;
inline constexpr int kScmRights = 1;
inline constexpr int kSolSocket = 1;
inline constexpr int kAfInet = 2;
inline constexpr int kSockDgram = 2;
inline constexpr int kOpenQuietly = 02004000;  // O_RDONLY | O_NONBLOCK | O_CLOEXEC
inline constexpr int kTiocsctty = 0x540e;
inline constexpr int kEintr = 4;
inline constexpr int kEperm = 1;
inline constexpr int kEnoent = 2;
inline constexpr int kEnoexec = 8;
inline constexpr int kEnotdir = 20;
inline constexpr int kEacces = 13;
inline constexpr int kRlimitFsize = 1;
inline constexpr int kRlimitCore = 4;
inline constexpr int kRlimitNofile = 7;
inline constexpr unsigned long kMsFlags = 1 | 2 | 4 | 8;  // MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC

struct IoVec {
  void* base;
  std::size_t size;
};
struct MsgHdr {
  void* name;
  int name_size;
  IoVec* iov;
  std::size_t iov_count;
  void* control;
  std::size_t control_size;
  unsigned flags;
};
struct CmsgHdr {
  std::size_t size;
  int level;
  int type;
};
struct PollFd {
  int fd;
  short events;
  short revents;
};
struct Rusage {
  long user_s, user_us, system_s, system_us;
  long max_rss;
  long other[13];
};
struct KernelSigaction {
  void* handler;
  unsigned long flags;
  void* restorer;
  unsigned long mask;
};
struct Rlimit {
  unsigned long soft, hard;
};
struct IfReq {
  char name[16];
  union {
    short flags;
    char pad[24];
  };
};

}  // namespace rehearse::sandbox
