// Names within structures, as the kernel's uapi headers give them; in the order in which strace prints.
#include "syscalls/names.h"

namespace rehearse::syscalls::names {
namespace {

constexpr Name kSigactionFlags[] = {
    {0x04000000, "SA_RESTORER"},  {0x08000000, "SA_ONSTACK"},   {0x10000000, "SA_RESTART"},
    {0x20000000, "SA_INTERRUPT"}, {0x40000000, "SA_NODEFER"},   {0x80000000, "SA_RESETHAND"},
    {0x4, "SA_SIGINFO"},          {0x1, "SA_NOCLDSTOP"},        {0x2, "SA_NOCLDWAIT"},
    {0x400, "SA_UNSUPPORTED"},    {0x800, "SA_EXPOSE_TAGBITS"},
};
constexpr Name kSchedFlags[] = {
    {0x1, "SCHED_FLAG_RESET_ON_FORK"},   {0x2, "SCHED_FLAG_RECLAIM"},
    {0x4, "SCHED_FLAG_DL_OVERRUN"},      {0x8, "SCHED_FLAG_KEEP_POLICY"},
    {0x10, "SCHED_FLAG_KEEP_PARAMS"},    {0x20, "SCHED_FLAG_UTIL_CLAMP_MIN"},
    {0x40, "SCHED_FLAG_UTIL_CLAMP_MAX"},
};
constexpr Name kCapVersionChoice[] = {
    {0x19980330, "_LINUX_CAPABILITY_VERSION_1"},
    {0x20071026, "_LINUX_CAPABILITY_VERSION_2"},
    {0x20080522, "_LINUX_CAPABILITY_VERSION_3"},
};
constexpr Name kEpollEvents[] = {
    {0x1, "EPOLLIN"},
    {0x2, "EPOLLPRI"},
    {0x4, "EPOLLOUT"},
    {0x8, "EPOLLERR"},
    {0x10, "EPOLLHUP"},
    {0x20, "EPOLLNVAL"},
    {0x40, "EPOLLRDNORM"},
    {0x80, "EPOLLRDBAND"},
    {0x100, "EPOLLWRNORM"},
    {0x200, "EPOLLWRBAND"},
    {0x400, "EPOLLMSG"},
    {0x2000, "EPOLLRDHUP"},
    {0x10000000, "EPOLLEXCLUSIVE"},
    {0x20000000, "EPOLLWAKEUP"},
    {0x40000000, "EPOLLONESHOT"},
    {0x80000000, "EPOLLET"},
};
constexpr Name kPollEvents[] = {
    {0x1, "POLLIN"},       {0x2, "POLLPRI"},     {0x4, "POLLOUT"},      {0x40, "POLLRDNORM"},
    {0x100, "POLLWRNORM"}, {0x80, "POLLRDBAND"}, {0x200, "POLLWRBAND"}, {0x8, "POLLERR"},
    {0x10, "POLLHUP"},     {0x20, "POLLNVAL"},   {0x400, "POLLMSG"},    {0x1000, "POLLREMOVE"},
    {0x2000, "POLLRDHUP"},
};
constexpr Name kPropagationChoice[] = {
    {0x20000, "MS_UNBINDABLE"},
    {0x40000, "MS_PRIVATE"},
    {0x80000, "MS_SLAVE"},
    {0x100000, "MS_SHARED"},
};
constexpr Name kStatxAttributes[] = {
    {0x4, "STATX_ATTR_COMPRESSED"},        {0x10, "STATX_ATTR_IMMUTABLE"},  {0x20, "STATX_ATTR_APPEND"},
    {0x40, "STATX_ATTR_NODUMP"},           {0x800, "STATX_ATTR_ENCRYPTED"}, {0x1000, "STATX_ATTR_AUTOMOUNT"},
    {0x2000, "STATX_ATTR_MOUNT_ROOT"},     {0x100000, "STATX_ATTR_VERITY"}, {0x200000, "STATX_ATTR_DAX"},
    {0x400000, "STATX_ATTR_WRITE_ATOMIC"},
};

}  // namespace

const NameSet SigactionFlags = {{}, 0, kSigactionFlags, "SA_???"};
const NameSet SchedFlags = {{}, 0, kSchedFlags, "SCHED_FLAG_???", true};
const NameSet CapVersion = {kCapVersionChoice, ~std::uint64_t{0}, {}, "_LINUX_CAPABILITY_VERSION_???"};
const NameSet EpollEvents = {{}, 0, kEpollEvents, "EPOLL???"};
const NameSet PollEvents = {{}, 0, kPollEvents, "POLL???"};
const NameSet Propagation = {kPropagationChoice, ~std::uint64_t{0}, {}, "MS_???", true};
const NameSet StatxAttributes = {{}, 0, kStatxAttributes, "STATX_ATTR_???", true};

}  // namespace rehearse::syscalls::names
