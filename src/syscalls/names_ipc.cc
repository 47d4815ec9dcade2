// Names of System V IPC, futexes and keys, as the kernel's uapi headers give them; in the order in which
// strace prints.
#include "syscalls/names.h"

namespace rehearse::syscalls::names {
namespace {

constexpr Name kIpcFlags[] = {
    {0x200, "IPC_CREAT"},
    {0x400, "IPC_EXCL"},
    {0x800, "IPC_NOWAIT"},
};
constexpr Name kShmgetFlags[] = {
    {0x200, "IPC_CREAT"},
    {0x400, "IPC_EXCL"},
    {0x800, "SHM_HUGETLB"},
    {0x1000, "SHM_NORESERVE"},
};
constexpr Name kShmatFlags[] = {
    {0x1000, "SHM_RDONLY"},
    {0x2000, "SHM_RND"},
    {0x4000, "SHM_REMAP"},
    {0x8000, "SHM_EXEC"},
};
constexpr Name kMsgIpcFlags[] = {
    {0x1000, "MSG_NOERROR"},
    {0x2000, "MSG_EXCEPT"},
    {0x4000, "MSG_COPY"},
    {0x800, "IPC_NOWAIT"},
};
constexpr Name kShmCommandChoice[] = {
    {0x0, "IPC_RMID"},   {0x1, "IPC_SET"},  {0x2, "IPC_STAT"}, {0x3, "IPC_INFO"},     {0xb, "SHM_LOCK"},
    {0xc, "SHM_UNLOCK"}, {0xd, "SHM_STAT"}, {0xe, "SHM_INFO"}, {0xf, "SHM_STAT_ANY"},
};
constexpr Name kSemCommandChoice[] = {
    {0x0, "IPC_RMID"}, {0x1, "IPC_SET"},   {0x2, "IPC_STAT"},  {0x3, "IPC_INFO"},      {0xb, "GETPID"},
    {0xc, "GETVAL"},   {0xd, "GETALL"},    {0xe, "GETNCNT"},   {0xf, "GETZCNT"},       {0x10, "SETVAL"},
    {0x11, "SETALL"},  {0x12, "SEM_STAT"}, {0x13, "SEM_INFO"}, {0x14, "SEM_STAT_ANY"},
};
constexpr Name kMsgCommandChoice[] = {
    {0x0, "IPC_RMID"}, {0x1, "IPC_SET"},  {0x2, "IPC_STAT"},     {0x3, "IPC_INFO"},
    {0xb, "MSG_STAT"}, {0xc, "MSG_INFO"}, {0xd, "MSG_STAT_ANY"},
};
constexpr Name kFutexOpChoice[] = {
    {0x0, "FUTEX_WAIT"},           {0x1, "FUTEX_WAKE"},        {0x2, "FUTEX_FD"},
    {0x3, "FUTEX_REQUEUE"},        {0x4, "FUTEX_CMP_REQUEUE"}, {0x5, "FUTEX_WAKE_OP"},
    {0x6, "FUTEX_LOCK_PI"},        {0x7, "FUTEX_UNLOCK_PI"},   {0x8, "FUTEX_TRYLOCK_PI"},
    {0x9, "FUTEX_WAIT_BITSET"},    {0xa, "FUTEX_WAKE_BITSET"}, {0xb, "FUTEX_WAIT_REQUEUE_PI"},
    {0xc, "FUTEX_CMP_REQUEUE_PI"}, {0xd, "FUTEX_LOCK_PI2"},
};
constexpr Name kFutex2FlagsChoice[] = {
    {0x0, "FUTEX2_SIZE_U8"},
    {0x1, "FUTEX2_SIZE_U16"},
    {0x2, "FUTEX2_SIZE_U32"},
    {0x3, "FUTEX2_SIZE_U64"},
};
constexpr Name kFutex2Flags[] = {
    {0x4, "FUTEX2_NUMA"},
    {0x8, "FUTEX2_MPOL"},
    {0x80, "FUTEX2_PRIVATE"},
};
constexpr Name kKeyctlCommandChoice[] = {
    {0x0, "KEYCTL_GET_KEYRING_ID"},
    {0x1, "KEYCTL_JOIN_SESSION_KEYRING"},
    {0x2, "KEYCTL_UPDATE"},
    {0x3, "KEYCTL_REVOKE"},
    {0x4, "KEYCTL_CHOWN"},
    {0x5, "KEYCTL_SETPERM"},
    {0x6, "KEYCTL_DESCRIBE"},
    {0x7, "KEYCTL_CLEAR"},
    {0x8, "KEYCTL_LINK"},
    {0x9, "KEYCTL_UNLINK"},
    {0xa, "KEYCTL_SEARCH"},
    {0xb, "KEYCTL_READ"},
    {0xc, "KEYCTL_INSTANTIATE"},
    {0xd, "KEYCTL_NEGATE"},
    {0xe, "KEYCTL_SET_REQKEY_KEYRING"},
    {0xf, "KEYCTL_SET_TIMEOUT"},
    {0x10, "KEYCTL_ASSUME_AUTHORITY"},
    {0x11, "KEYCTL_GET_SECURITY"},
    {0x12, "KEYCTL_SESSION_TO_PARENT"},
    {0x13, "KEYCTL_REJECT"},
    {0x14, "KEYCTL_INSTANTIATE_IOV"},
    {0x15, "KEYCTL_INVALIDATE"},
    {0x16, "KEYCTL_GET_PERSISTENT"},
    {0x17, "KEYCTL_DH_COMPUTE"},
    {0x18, "KEYCTL_PKEY_QUERY"},
    {0x19, "KEYCTL_PKEY_ENCRYPT"},
    {0x1a, "KEYCTL_PKEY_DECRYPT"},
    {0x1b, "KEYCTL_PKEY_SIGN"},
    {0x1c, "KEYCTL_PKEY_VERIFY"},
    {0x1d, "KEYCTL_RESTRICT_KEYRING"},
    {0x1e, "KEYCTL_MOVE"},
    {0x1f, "KEYCTL_CAPABILITIES"},
    {0x20, "KEYCTL_WATCH_KEY"},
};
constexpr Name kKeySpecialChoice[] = {
    {0xffffffff, "KEY_SPEC_THREAD_KEYRING"},       {0xfffffffe, "KEY_SPEC_PROCESS_KEYRING"},
    {0xfffffffd, "KEY_SPEC_SESSION_KEYRING"},      {0xfffffffc, "KEY_SPEC_USER_KEYRING"},
    {0xfffffffb, "KEY_SPEC_USER_SESSION_KEYRING"}, {0xfffffffa, "KEY_SPEC_GROUP_KEYRING"},
    {0xfffffff9, "KEY_SPEC_REQKEY_AUTH_KEY"},      {0xfffffff8, "KEY_SPEC_REQUESTOR_KEYRING"},
};

}  // namespace

const NameSet IpcFlags = {{}, 0, kIpcFlags, "IPC_???"};
const NameSet ShmgetFlags = {{}, 0, kShmgetFlags, "SHM_???"};
const NameSet ShmatFlags = {{}, 0, kShmatFlags, "SHM_???"};
const NameSet MsgIpcFlags = {{}, 0, kMsgIpcFlags, "MSG_???"};
const NameSet ShmCommand = {kShmCommandChoice, ~std::uint64_t{0}, {}, "SHM_???"};
const NameSet SemCommand = {kSemCommandChoice, ~std::uint64_t{0}, {}, "SEM_???"};
const NameSet MsgCommand = {kMsgCommandChoice, ~std::uint64_t{0}, {}, "MSG_???"};
const NameSet FutexOp = {kFutexOpChoice, ~std::uint64_t{0}, {}, "FUTEX_???"};
const NameSet Futex2Flags = {kFutex2FlagsChoice, 0x3, kFutex2Flags, "FUTEX2_???"};
const NameSet KeyctlCommand = {kKeyctlCommandChoice, ~std::uint64_t{0}, {}, "KEYCTL_???"};
const NameSet KeySpecial = {kKeySpecialChoice, ~std::uint64_t{0}, {}, "KEY_SPEC_???"};

}  // namespace rehearse::syscalls::names
