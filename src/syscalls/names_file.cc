// Names of the flags of paths and descriptors, as the kernel's uapi headers give them; in the order in which
// strace prints.
#include "syscalls/names.h"

namespace rehearse::syscalls::names {
namespace {

constexpr Name kOpenFlagsChoice[] = {
    {0x0, "O_RDONLY"},
    {0x1, "O_WRONLY"},
    {0x2, "O_RDWR"},
    {0x3, "O_ACCMODE"},
};
constexpr Name kOpenFlags[] = {
    {0x40, "O_CREAT"},         {0x80, "O_EXCL"},         {0x100, "O_NOCTTY"},     {0x200, "O_TRUNC"},
    {0x400, "O_APPEND"},       {0x800, "O_NONBLOCK"},    {0x101000, "O_SYNC"},    {0x100000, "__O_SYNC"},
    {0x1000, "O_DSYNC"},       {0x4000, "O_DIRECT"},     {0x8000, "O_LARGEFILE"}, {0x20000, "O_NOFOLLOW"},
    {0x40000, "O_NOATIME"},    {0x80000, "O_CLOEXEC"},   {0x200000, "O_PATH"},    {0x410000, "O_TMPFILE"},
    {0x400000, "__O_TMPFILE"}, {0x10000, "O_DIRECTORY"}, {0x2000, "FASYNC"},
};
constexpr Name kResolveFlags[] = {
    {0x1, "RESOLVE_NO_XDEV"}, {0x2, "RESOLVE_NO_MAGICLINKS"}, {0x4, "RESOLVE_NO_SYMLINKS"},
    {0x8, "RESOLVE_BENEATH"}, {0x10, "RESOLVE_IN_ROOT"},      {0x20, "RESOLVE_CACHED"},
};
constexpr Name kAccessMode[] = {
    {0x0, "F_OK"},
    {0x4, "R_OK"},
    {0x2, "W_OK"},
    {0x1, "X_OK"},
};
constexpr Name kAtFlags[] = {
    {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x200, "AT_REMOVEDIR"},   {0x400, "AT_SYMLINK_FOLLOW"},
    {0x800, "AT_NO_AUTOMOUNT"},     {0x1000, "AT_EMPTY_PATH"},
};
constexpr Name kUnlinkFlags[] = {
    {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x200, "AT_REMOVEDIR"},   {0x400, "AT_SYMLINK_FOLLOW"},
    {0x800, "AT_NO_AUTOMOUNT"},     {0x1000, "AT_EMPTY_PATH"},
};
constexpr Name kAccessAtFlags[] = {
    {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x200, "AT_EACCESS"},     {0x400, "AT_SYMLINK_FOLLOW"},
    {0x800, "AT_NO_AUTOMOUNT"},     {0x1000, "AT_EMPTY_PATH"},
};
constexpr Name kHandleFlags[] = {
    {0x1, "AT_HANDLE_MNT_ID_UNIQUE"}, {0x2, "AT_HANDLE_CONNECTABLE"}, {0x100, "AT_SYMLINK_NOFOLLOW"},
    {0x200, "AT_HANDLE_FID"},         {0x400, "AT_SYMLINK_FOLLOW"},   {0x800, "AT_NO_AUTOMOUNT"},
    {0x1000, "AT_EMPTY_PATH"},
};
constexpr Name kAtFlagsRecursive[] = {
    {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x200, "AT_REMOVEDIR"},   {0x400, "AT_SYMLINK_FOLLOW"},
    {0x800, "AT_NO_AUTOMOUNT"},     {0x1000, "AT_EMPTY_PATH"}, {0x8000, "AT_RECURSIVE"},
};
constexpr Name kStatxFlagsChoice[] = {
    {0x0, "AT_STATX_SYNC_AS_STAT"},
    {0x2000, "AT_STATX_FORCE_SYNC"},
    {0x4000, "AT_STATX_DONT_SYNC"},
    {0x6000, "AT_STATX_SYNC_TYPE"},
};
constexpr Name kStatxFlags[] = {
    {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x200, "AT_REMOVEDIR"},   {0x400, "AT_SYMLINK_FOLLOW"},
    {0x800, "AT_NO_AUTOMOUNT"},     {0x1000, "AT_EMPTY_PATH"},
};
constexpr Name kStatxMask[] = {
    {0xfff, "STATX_ALL"},
    {0x7ff, "STATX_BASIC_STATS"},
    {0x1, "STATX_TYPE"},
    {0x2, "STATX_MODE"},
    {0x4, "STATX_NLINK"},
    {0x8, "STATX_UID"},
    {0x10, "STATX_GID"},
    {0x20, "STATX_ATIME"},
    {0x40, "STATX_MTIME"},
    {0x80, "STATX_CTIME"},
    {0x100, "STATX_INO"},
    {0x200, "STATX_SIZE"},
    {0x400, "STATX_BLOCKS"},
    {0x800, "STATX_BTIME"},
    {0x1000, "STATX_MNT_ID"},
    {0x2000, "STATX_DIOALIGN"},
    {0x4000, "STATX_MNT_ID_UNIQUE"},
    {0x8000, "STATX_SUBVOL"},
    {0x10000, "STATX_WRITE_ATOMIC"},
    {0x20000, "STATX_DIO_READ_ALIGN"},
};
constexpr Name kRenameFlags[] = {
    {0x1, "RENAME_NOREPLACE"},
    {0x2, "RENAME_EXCHANGE"},
    {0x4, "RENAME_WHITEOUT"},
};
constexpr Name kWhenceChoice[] = {
    {0x0, "SEEK_SET"}, {0x1, "SEEK_CUR"}, {0x2, "SEEK_END"}, {0x3, "SEEK_DATA"}, {0x4, "SEEK_HOLE"},
};
constexpr Name kFcntlCommandChoice[] = {
    {0x0, "F_DUPFD"},
    {0x1, "F_GETFD"},
    {0x2, "F_SETFD"},
    {0x3, "F_GETFL"},
    {0x4, "F_SETFL"},
    {0x5, "F_GETLK"},
    {0x6, "F_SETLK"},
    {0x7, "F_SETLKW"},
    {0x8, "F_SETOWN"},
    {0x9, "F_GETOWN"},
    {0xa, "F_SETSIG"},
    {0xb, "F_GETSIG"},
    {0xf, "F_SETOWN_EX"},
    {0x10, "F_GETOWN_EX"},
    {0x11, "F_GETOWNER_UIDS"},
    {0x24, "F_OFD_GETLK"},
    {0x25, "F_OFD_SETLK"},
    {0x26, "F_OFD_SETLKW"},
    {0x400, "F_SETLEASE"},
    {0x401, "F_GETLEASE"},
    {0x402, "F_NOTIFY"},
    {0x403, "F_DUPFD_QUERY"},
    {0x404, "F_CREATED_QUERY"},
    {0x405, "F_CANCELLK"},
    {0x406, "F_DUPFD_CLOEXEC"},
    {0x407, "F_SETPIPE_SZ"},
    {0x408, "F_GETPIPE_SZ"},
    {0x409, "F_ADD_SEALS"},
    {0x40a, "F_GET_SEALS"},
    {0x40b, "F_GET_RW_HINT"},
    {0x40c, "F_SET_RW_HINT"},
    {0x40d, "F_GET_FILE_RW_HINT"},
    {0x40e, "F_SET_FILE_RW_HINT"},
    {0x40f, "F_GETDELEG"},
    {0x410, "F_SETDELEG"},
};
constexpr Name kFdFlags[] = {
    {0x1, "FD_CLOEXEC"},
};
constexpr Name kSealFlags[] = {
    {0x1, "F_SEAL_SEAL"},  {0x2, "F_SEAL_SHRINK"},        {0x4, "F_SEAL_GROW"},
    {0x8, "F_SEAL_WRITE"}, {0x10, "F_SEAL_FUTURE_WRITE"}, {0x20, "F_SEAL_EXEC"},
};
constexpr Name kLeaseTypeChoice[] = {
    {0x0, "F_RDLCK"}, {0x1, "F_WRLCK"}, {0x2, "F_UNLCK"}, {0x4, "F_EXLCK"}, {0x8, "F_SHLCK"},
};
constexpr Name kNotifyFlags[] = {
    {0x1, "DN_ACCESS"},  {0x2, "DN_MODIFY"},  {0x4, "DN_CREATE"},           {0x8, "DN_DELETE"},
    {0x10, "DN_RENAME"}, {0x20, "DN_ATTRIB"}, {0x80000000, "DN_MULTISHOT"},
};
constexpr Name kFlockOperation[] = {
    {0x1, "LOCK_SH"},    {0x2, "LOCK_EX"},    {0x8, "LOCK_UN"},     {0x4, "LOCK_NB"},
    {0x20, "LOCK_MAND"}, {0x40, "LOCK_READ"}, {0x80, "LOCK_WRITE"},
};
constexpr Name kFallocateMode[] = {
    {0x1, "FALLOC_FL_KEEP_SIZE"},      {0x2, "FALLOC_FL_PUNCH_HOLE"},    {0x4, "FALLOC_FL_NO_HIDE_STALE"},
    {0x8, "FALLOC_FL_COLLAPSE_RANGE"}, {0x10, "FALLOC_FL_ZERO_RANGE"},   {0x20, "FALLOC_FL_INSERT_RANGE"},
    {0x40, "FALLOC_FL_UNSHARE_RANGE"}, {0x80, "FALLOC_FL_WRITE_ZEROES"},
};
constexpr Name kFadviseChoice[] = {
    {0x0, "POSIX_FADV_NORMAL"},   {0x1, "POSIX_FADV_RANDOM"},   {0x2, "POSIX_FADV_SEQUENTIAL"},
    {0x3, "POSIX_FADV_WILLNEED"}, {0x4, "POSIX_FADV_DONTNEED"}, {0x5, "POSIX_FADV_NOREUSE"},
};
constexpr Name kPipeFlags[] = {
    {0x80, "O_EXCL"},
    {0x800, "O_NONBLOCK"},
    {0x4000, "O_DIRECT"},
    {0x80000, "O_CLOEXEC"},
};
constexpr Name kEventfdFlags[] = {
    {0x1, "EFD_SEMAPHORE"},
    {0x80000, "EFD_CLOEXEC"},
    {0x800, "EFD_NONBLOCK"},
};
constexpr Name kSignalfdFlags[] = {
    {0x80000, "SFD_CLOEXEC"},
    {0x800, "SFD_NONBLOCK"},
};
constexpr Name kTimerfdFlags[] = {
    {0x80000, "TFD_CLOEXEC"},
    {0x800, "TFD_NONBLOCK"},
};
constexpr Name kTimerfdSetFlags[] = {
    {0x1, "TFD_TIMER_ABSTIME"},
    {0x2, "TFD_TIMER_CANCEL_ON_SET"},
};
constexpr Name kEpollCreateFlags[] = {
    {0x80000, "EPOLL_CLOEXEC"},
};
constexpr Name kEpollOpChoice[] = {
    {0x1, "EPOLL_CTL_ADD"},
    {0x2, "EPOLL_CTL_DEL"},
    {0x3, "EPOLL_CTL_MOD"},
};
constexpr Name kInotifyFlags[] = {
    {0x800, "IN_NONBLOCK"},
    {0x80000, "IN_CLOEXEC"},
};
constexpr Name kInotifyMask[] = {
    {0x1, "IN_ACCESS"},
    {0x2, "IN_MODIFY"},
    {0x4, "IN_ATTRIB"},
    {0x8, "IN_CLOSE_WRITE"},
    {0x10, "IN_CLOSE_NOWRITE"},
    {0x20, "IN_OPEN"},
    {0x40, "IN_MOVED_FROM"},
    {0x80, "IN_MOVED_TO"},
    {0x100, "IN_CREATE"},
    {0x200, "IN_DELETE"},
    {0x400, "IN_DELETE_SELF"},
    {0x800, "IN_MOVE_SELF"},
    {0x2000, "IN_UNMOUNT"},
    {0x4000, "IN_Q_OVERFLOW"},
    {0x8000, "IN_IGNORED"},
    {0x1000000, "IN_ONLYDIR"},
    {0x2000000, "IN_DONT_FOLLOW"},
    {0x4000000, "IN_EXCL_UNLINK"},
    {0x10000000, "IN_MASK_CREATE"},
    {0x20000000, "IN_MASK_ADD"},
    {0x40000000, "IN_ISDIR"},
    {0x80000000, "IN_ONESHOT"},
};
constexpr Name kFanotifyInitFlagsChoice[] = {
    {0x0, "FAN_CLASS_NOTIF"},
    {0x4, "FAN_CLASS_CONTENT"},
    {0x8, "FAN_CLASS_PRE_CONTENT"},
};
constexpr Name kFanotifyInitFlags[] = {
    {0x1, "FAN_CLOEXEC"},
    {0x2, "FAN_NONBLOCK"},
    {0x10, "FAN_UNLIMITED_QUEUE"},
    {0x20, "FAN_UNLIMITED_MARKS"},
    {0x40, "FAN_ENABLE_AUDIT"},
    {0x80, "FAN_REPORT_PIDFD"},
    {0x100, "FAN_REPORT_TID"},
    {0x200, "FAN_REPORT_FID"},
    {0x400, "FAN_REPORT_DIR_FID"},
    {0x800, "FAN_REPORT_NAME"},
    {0x1000, "FAN_REPORT_TARGET_FID"},
    {0x2000, "FAN_REPORT_FD_ERROR"},
    {0x4000, "FAN_REPORT_MNT"},
};
constexpr Name kFanotifyMarkFlags[] = {
    {0x1, "FAN_MARK_ADD"},           {0x2, "FAN_MARK_REMOVE"},
    {0x80, "FAN_MARK_FLUSH"},        {0x4, "FAN_MARK_DONT_FOLLOW"},
    {0x8, "FAN_MARK_ONLYDIR"},       {0x110, "FAN_MARK_MNTNS"},
    {0x10, "FAN_MARK_MOUNT"},        {0x100, "FAN_MARK_FILESYSTEM"},
    {0x20, "FAN_MARK_IGNORED_MASK"}, {0x40, "FAN_MARK_IGNORED_SURV_MODIFY"},
    {0x400, "FAN_MARK_IGNORE"},      {0x200, "FAN_MARK_EVICTABLE"},
};
constexpr Name kFanotifyMask[] = {
    {0x1, "FAN_ACCESS"},
    {0x2, "FAN_MODIFY"},
    {0x4, "FAN_ATTRIB"},
    {0x8, "FAN_CLOSE_WRITE"},
    {0x10, "FAN_CLOSE_NOWRITE"},
    {0x20, "FAN_OPEN"},
    {0x40, "FAN_MOVED_FROM"},
    {0x80, "FAN_MOVED_TO"},
    {0x100, "FAN_CREATE"},
    {0x200, "FAN_DELETE"},
    {0x400, "FAN_DELETE_SELF"},
    {0x800, "FAN_MOVE_SELF"},
    {0x1000, "FAN_OPEN_EXEC"},
    {0x4000, "FAN_Q_OVERFLOW"},
    {0x8000, "FAN_FS_ERROR"},
    {0x10000, "FAN_OPEN_PERM"},
    {0x20000, "FAN_ACCESS_PERM"},
    {0x40000, "FAN_OPEN_EXEC_PERM"},
    {0x80000, "FAN_DIR_MODIFY"},
    {0x100000, "FAN_PRE_ACCESS"},
    {0x1000000, "FAN_MNT_ATTACH"},
    {0x2000000, "FAN_MNT_DETACH"},
    {0x8000000, "FAN_EVENT_ON_CHILD"},
    {0x10000000, "FAN_RENAME"},
    {0x40000000, "FAN_ONDIR"},
};
constexpr Name kSpliceFlags[] = {
    {0x1, "SPLICE_F_MOVE"},
    {0x2, "SPLICE_F_NONBLOCK"},
    {0x4, "SPLICE_F_MORE"},
    {0x8, "SPLICE_F_GIFT"},
};
constexpr Name kSyncRangeFlags[] = {
    {0x1, "SYNC_FILE_RANGE_WAIT_BEFORE"},
    {0x2, "SYNC_FILE_RANGE_WRITE"},
    {0x4, "SYNC_FILE_RANGE_WAIT_AFTER"},
};
constexpr Name kXattrFlags[] = {
    {0x1, "XATTR_CREATE"},
    {0x2, "XATTR_REPLACE"},
};
constexpr Name kRwfFlags[] = {
    {0x1, "RWF_HIPRI"},   {0x2, "RWF_DSYNC"},      {0x4, "RWF_SYNC"},
    {0x8, "RWF_NOWAIT"},  {0x10, "RWF_APPEND"},    {0x20, "RWF_NOAPPEND"},
    {0x40, "RWF_ATOMIC"}, {0x80, "RWF_DONTCACHE"}, {0x100, "RWF_NOSIGNAL"},
};
constexpr Name kMemfdFlags[] = {
    {0x1, "MFD_CLOEXEC"},     {0x2, "MFD_ALLOW_SEALING"}, {0x4, "MFD_HUGETLB"},
    {0x8, "MFD_NOEXEC_SEAL"}, {0x10, "MFD_EXEC"},
};
constexpr Name kMemfdSecretFlags[] = {
    {0x80000, "O_CLOEXEC"},
};
constexpr Name kUserfaultfdFlags[] = {
    {0x1, "UFFD_USER_MODE_ONLY"},
    {0x800, "O_NONBLOCK"},
    {0x80000, "O_CLOEXEC"},
};
constexpr Name kCloseRangeFlags[] = {
    {0x2, "CLOSE_RANGE_UNSHARE"},
    {0x4, "CLOSE_RANGE_CLOEXEC"},
};
constexpr Name kFileKindChoice[] = {
    {0xc000, "S_IFSOCK"}, {0xa000, "S_IFLNK"}, {0x8000, "S_IFREG"}, {0x6000, "S_IFBLK"},
    {0x4000, "S_IFDIR"},  {0x2000, "S_IFCHR"}, {0x1000, "S_IFIFO"},
};
constexpr Name kUringEnterFlags[] = {
    {0x1, "IORING_ENTER_GETEVENTS"},        {0x2, "IORING_ENTER_SQ_WAKEUP"},
    {0x4, "IORING_ENTER_SQ_WAIT"},          {0x8, "IORING_ENTER_EXT_ARG"},
    {0x10, "IORING_ENTER_REGISTERED_RING"}, {0x20, "IORING_ENTER_ABS_TIMER"},
    {0x40, "IORING_ENTER_EXT_ARG_REG"},     {0x80, "IORING_ENTER_NO_IOWAIT"},
};

}  // namespace

const NameSet OpenFlags = {kOpenFlagsChoice, 3, kOpenFlags, "O_???"};
const NameSet ResolveFlags = {{}, 0, kResolveFlags, "RESOLVE_???", true};
const NameSet AccessMode = {{}, 0, kAccessMode, "?_OK"};
const NameSet AtFlags = {{}, 0, kAtFlags, "AT_???"};
const NameSet UnlinkFlags = {{}, 0, kUnlinkFlags, "AT_???"};
const NameSet AccessAtFlags = {{}, 0, kAccessAtFlags, "AT_???"};
const NameSet HandleFlags = {{}, 0, kHandleFlags, "AT_???"};
const NameSet AtFlagsRecursive = {{}, 0, kAtFlagsRecursive, "AT_???"};
const NameSet StatxFlags = {kStatxFlagsChoice, 0x6000, kStatxFlags, "AT_???"};
const NameSet StatxMask = {{}, 0, kStatxMask, "STATX_???"};
const NameSet RenameFlags = {{}, 0, kRenameFlags, "RENAME_???"};
const NameSet Whence = {kWhenceChoice, ~std::uint64_t{0}, {}, "SEEK_???"};
const NameSet FcntlCommand = {kFcntlCommandChoice, ~std::uint64_t{0}, {}, "F_???"};
const NameSet FdFlags = {{}, 0, kFdFlags, "FD_???"};
const NameSet SealFlags = {{}, 0, kSealFlags, "F_SEAL_???"};
const NameSet LeaseType = {kLeaseTypeChoice, ~std::uint64_t{0}, {}, "F_???"};
const NameSet NotifyFlags = {{}, 0, kNotifyFlags, "DN_???"};
const NameSet FlockOperation = {{}, 0, kFlockOperation, "LOCK_???"};
const NameSet FallocateMode = {{}, 0, kFallocateMode, "FALLOC_FL_???"};
const NameSet Fadvise = {kFadviseChoice, ~std::uint64_t{0}, {}, "POSIX_FADV_???"};
const NameSet PipeFlags = {{}, 0, kPipeFlags, "O_???"};
const NameSet EventfdFlags = {{}, 0, kEventfdFlags, "EFD_???"};
const NameSet SignalfdFlags = {{}, 0, kSignalfdFlags, "SFD_???"};
const NameSet TimerfdFlags = {{}, 0, kTimerfdFlags, "TFD_???"};
const NameSet TimerfdSetFlags = {{}, 0, kTimerfdSetFlags, "TFD_???"};
const NameSet EpollCreateFlags = {{}, 0, kEpollCreateFlags, "EPOLL_???"};
const NameSet EpollOp = {kEpollOpChoice, ~std::uint64_t{0}, {}, "EPOLL_CTL_???"};
const NameSet InotifyFlags = {{}, 0, kInotifyFlags, "IN_???"};
const NameSet InotifyMask = {{}, 0, kInotifyMask, "IN_???"};
const NameSet FanotifyInitFlags = {kFanotifyInitFlagsChoice, 0xc, kFanotifyInitFlags, "FAN_???"};
const NameSet FanotifyMarkFlags = {{}, 0, kFanotifyMarkFlags, "FAN_MARK_???"};
const NameSet FanotifyMask = {{}, 0, kFanotifyMask, "FAN_???", true};
const NameSet SpliceFlags = {{}, 0, kSpliceFlags, "SPLICE_F_???"};
const NameSet SyncRangeFlags = {{}, 0, kSyncRangeFlags, "SYNC_FILE_RANGE_???"};
const NameSet XattrFlags = {{}, 0, kXattrFlags, "XATTR_???"};
const NameSet RwfFlags = {{}, 0, kRwfFlags, "RWF_???"};
const NameSet MemfdFlags = {{}, 0, kMemfdFlags, "MFD_???"};
const NameSet MemfdSecretFlags = {{}, 0, kMemfdSecretFlags, "O_???"};
const NameSet UserfaultfdFlags = {{}, 0, kUserfaultfdFlags, "UFFD_???"};
const NameSet CloseRangeFlags = {{}, 0, kCloseRangeFlags, "CLOSE_RANGE_???"};
const NameSet FileKind = {kFileKindChoice, ~std::uint64_t{0}, {}, "S_IFMT"};
const NameSet UringEnterFlags = {{}, 0, kUringEnterFlags, "IORING_ENTER_???"};

}  // namespace rehearse::syscalls::names
