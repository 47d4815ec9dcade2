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

/// Of filesystems, as statfs(2) gives them; ascending.
constexpr Name kFsMagicChoice[] = {
    {0x2f, "QNX4_SUPER_MAGIC"},
    {0x33, "Z3FOLD_MAGIC"},
    {0x187, "AUTOFS_SUPER_MAGIC"},
    {0x1373, "DEVFS_SUPER_MAGIC"},
    {0x137d, "EXT_SUPER_MAGIC"},
    {0x137f, "MINIX_SUPER_MAGIC"},
    {0x138f, "MINIX_SUPER_MAGIC2"},
    {0x1cd1, "DEVPTS_SUPER_MAGIC"},
    {0x2468, "MINIX2_SUPER_MAGIC"},
    {0x2478, "MINIX2_SUPER_MAGIC2"},
    {0x3434, "NILFS_SUPER_MAGIC"},
    {0x4244, "HFS_SUPER_MAGIC"},
    {0x482b, "HFSPLUS_SUPER_MAGIC"},
    {0x4d44, "MSDOS_SUPER_MAGIC"},
    {0x4d5a, "MINIX3_SUPER_MAGIC"},
    {0x517b, "SMB_SUPER_MAGIC"},
    {0x564c, "NCP_SUPER_MAGIC"},
    {0x5df5, "EXOFS_SUPER_MAGIC"},
    {0x6969, "NFS_SUPER_MAGIC"},
    {0x7275, "ROMFS_MAGIC"},
    {0x72b6, "JFFS2_SUPER_MAGIC"},
    {0x9660, "ISOFS_SUPER_MAGIC"},
    {0x9fa0, "PROC_SUPER_MAGIC"},
    {0x9fa1, "OPENPROM_SUPER_MAGIC"},
    {0x9fa2, "USBDEVICE_SUPER_MAGIC"},
    {0xadf5, "ADFS_SUPER_MAGIC"},
    {0xadff, "AFFS_SUPER_MAGIC"},
    {0xef51, "EXT2_OLD_SUPER_MAGIC"},
    {0xef53, "EXT2_SUPER_MAGIC"},
    {0xf15f, "ECRYPTFS_SUPER_MAGIC"},
    {0x11954, "UFS_MAGIC"},
    {0x27e0eb, "CGROUP_SUPER_MAGIC"},
    {0x414a53, "EFS_SUPER_MAGIC"},
    {0xc0ffee, "HOSTFS_SUPER_MAGIC"},
    {0xc36400, "CEPH_SUPER_MAGIC"},
    {0x1021994, "TMPFS_MAGIC"},
    {0x1021997, "V9FS_MAGIC"},
    {0x1161970, "GFS2_MAGIC"},
    {0x12fd16d, "XIAFS_SUPER_MAGIC"},
    {0x12ff7b4, "XENIX_SUPER_MAGIC"},
    {0x12ff7b5, "SYSV4_SUPER_MAGIC"},
    {0x12ff7b6, "SYSV2_SUPER_MAGIC"},
    {0x12ff7b7, "COH_SUPER_MAGIC"},
    {0x2011994, "SHMFS_SUPER_MAGIC"},
    {0x9041934, "ANON_INODE_FS_MAGIC"},
    {0xbad1dea, "FUTEXFS_SUPER_MAGIC"},
    {0x11307854, "MTD_INODE_FS_MAGIC"},
    {0x13661366, "BALLOON_KVM_MAGIC"},
    {0x15013346, "UDF_SUPER_MAGIC"},
    {0x1badface, "BFS_MAGIC"},
    {0x2011bab0, "EXFAT_SUPER_MAGIC"},
    {0x24051905, "UBIFS_SUPER_MAGIC"},
    {0x28cd3d45, "CRAMFS_MAGIC"},
    {0x2fc12fc1, "ZFS_SUPER_MAGIC"},
    {0x3153464a, "JFS_SUPER_MAGIC"},
    {0x42465331, "BEFS_SUPER_MAGIC"},
    {0x42494e4d, "BINFMTFS_MAGIC"},
    {0x43415d53, "SMACK_MAGIC"},
    {0x444d4142, "DMA_BUF_MAGIC"},
    {0x453dcd28, "CRAMFS_MAGIC_WEND"},
    {0x454d444d, "DEVMEM_MAGIC"},
    {0x47504653, "GPFS_SUPER_MAGIC"},
    {0x50495045, "PIPEFS_MAGIC"},
    {0x52654973, "REISERFS_SUPER_MAGIC"},
    {0x5345434d, "SECRETMEM_MAGIC"},
    {0x5346414f, "AFS_SUPER_MAGIC"},
    {0x5346544e, "NTFS_SB_MAGIC"},
    {0x534f434b, "SOCKFS_MAGIC"},
    {0x54190100, "UFS_CIGAM"},
    {0x565a4653, "VZFS_SUPER_MAGIC"},
    {0x57ac6e9d, "STACK_END_MAGIC"},
    {0x58295829, "ZSMALLOC_MAGIC"},
    {0x58465342, "XFS_SUPER_MAGIC"},
    {0x5a3c69f0, "AAFS_MAGIC"},
    {0x5a4f4653, "ZONEFS_MAGIC"},
    {0x6165676c, "PSTOREFS_MAGIC"},
    {0x61756673, "AUFS_SUPER_MAGIC"},
    {0x62646576, "BDEVFS_MAGIC"},
    {0x62656570, "CONFIGFS_MAGIC"},
    {0x62656572, "SYSFS_MAGIC"},
    {0x63677270, "CGROUP2_SUPER_MAGIC"},
    {0x64626720, "DEBUGFS_MAGIC"},
    {0x64646178, "DAXFS_MAGIC"},
    {0x65735543, "FUSE_CTL_SUPER_MAGIC"},
    {0x65735546, "FUSE_SUPER_MAGIC"},
    {0x68191122, "QNX6_SUPER_MAGIC"},
    {0x6b414653, "AFS_FS_MAGIC"},
    {0x6c6f6f70, "BINDERFS_SUPER_MAGIC"},
    {0x6e736673, "NSFS_MAGIC"},
    {0x73636673, "SECURITYFS_MAGIC"},
    {0x73717368, "SQUASHFS_MAGIC"},
    {0x73727279, "BTRFS_TEST_MAGIC"},
    {0x73757245, "CODA_SUPER_MAGIC"},
    {0x7461636f, "OCFS2_SUPER_MAGIC"},
    {0x74726163, "TRACEFS_MAGIC"},
    {0x794c7630, "OVERLAYFS_SUPER_MAGIC"},
    {0x858458f6, "RAMFS_MAGIC"},
    {0x9123683e, "BTRFS_SUPER_MAGIC"},
    {0x958458f6, "HUGETLBFS_MAGIC"},
    {0xa501fcf5, "VXFS_SUPER_MAGIC"},
    {0xabba1974, "XENFS_SUPER_MAGIC"},
    {0xc7571590, "PPC_CMM_MAGIC"},
    {0xc97e8168, "LOGFS_MAGIC"},
    {0xcafe4a11, "BPF_FS_MAGIC"},
    {0xde5e81e4, "EFIVARFS_MAGIC"},
    {0xe0f5e1e2, "EROFS_SUPER_MAGIC_V1"},
    {0xf2f52010, "F2FS_SUPER_MAGIC"},
    {0xf97cff8c, "SELINUX_MAGIC"},
    {0xf995e849, "HPFS_SUPER_MAGIC"},
    {0xfe534d42, "SMB2_SUPER_MAGIC"},
    {0xff534d42, "CIFS_SUPER_MAGIC"},
};
constexpr Name kStatfsFlags[] = {
    {0x20, "ST_VALID"},       {0x1, "ST_RDONLY"},       {0x2, "ST_NOSUID"},         {0x4, "ST_NODEV"},
    {0x8, "ST_NOEXEC"},       {0x10, "ST_SYNCHRONOUS"}, {0x40, "ST_MANDLOCK"},      {0x400, "ST_NOATIME"},
    {0x800, "ST_NODIRATIME"}, {0x1000, "ST_RELATIME"},  {0x2000, "ST_NOSYMFOLLOW"},
};
constexpr Name kFutexWaiterFlags[] = {{0x2, "FUTEX_32"}, {0x80, "FUTEX_PRIVATE_FLAG"}};
constexpr Name kChildCodeChoice[] = {
    {1, "CLD_EXITED"},  {2, "CLD_KILLED"},  {3, "CLD_DUMPED"},
    {4, "CLD_TRAPPED"}, {5, "CLD_STOPPED"}, {6, "CLD_CONTINUED"},
};
constexpr Name kTermInput[] = {
    {0x1, "IGNBRK"},  {0x2, "BRKINT"},  {0x4, "IGNPAR"},   {0x8, "PARMRK"},     {0x10, "INPCK"},
    {0x20, "ISTRIP"}, {0x40, "INLCR"},  {0x80, "IGNCR"},   {0x100, "ICRNL"},    {0x200, "IUCLC"},
    {0x400, "IXON"},  {0x800, "IXANY"}, {0x1000, "IXOFF"}, {0x2000, "IMAXBEL"}, {0x4000, "IUTF8"},
};
constexpr Name kTermOutput[] = {
    {0x1, "OPOST"},  {0x2, "OLCUC"},   {0x4, "ONLCR"},  {0x8, "OCRNL"},
    {0x10, "ONOCR"}, {0x20, "ONLRET"}, {0x40, "OFILL"}, {0x80, "OFDEL"},
};
constexpr Name kTermSpeedChoice[] = {
    {0x0, "B0"},          {0x1, "B50"},         {0x2, "B75"},         {0x3, "B110"},
    {0x4, "B134"},        {0x5, "B150"},        {0x6, "B200"},        {0x7, "B300"},
    {0x8, "B600"},        {0x9, "B1200"},       {0xa, "B1800"},       {0xb, "B2400"},
    {0xc, "B4800"},       {0xd, "B9600"},       {0xe, "B19200"},      {0xf, "B38400"},
    {0x1000, "BOTHER"},   {0x1001, "B57600"},   {0x1002, "B115200"},  {0x1003, "B230400"},
    {0x1004, "B460800"},  {0x1005, "B500000"},  {0x1006, "B576000"},  {0x1007, "B921600"},
    {0x1008, "B1000000"}, {0x1009, "B1152000"}, {0x100a, "B1500000"}, {0x100b, "B2000000"},
    {0x100c, "B2500000"}, {0x100d, "B3000000"}, {0x100e, "B3500000"}, {0x100f, "B4000000"},
};
constexpr Name kTermControl[] = {
    {0x40, "CSTOPB"}, {0x80, "CREAD"},   {0x100, "PARENB"},      {0x200, "PARODD"},
    {0x400, "HUPCL"}, {0x800, "CLOCAL"}, {0x40000000, "CMSPAR"}, {0x80000000, "CRTSCTS"},
};
constexpr Name kTermLocal[] = {
    {0x1, "ISIG"},      {0x2, "ICANON"},    {0x4, "XCASE"},     {0x8, "ECHO"},
    {0x10, "ECHOE"},    {0x20, "ECHOK"},    {0x40, "ECHONL"},   {0x80, "NOFLSH"},
    {0x8000, "IEXTEN"}, {0x200, "ECHOCTL"}, {0x400, "ECHOPRT"}, {0x800, "ECHOKE"},
    {0x1000, "FLUSHO"}, {0x4000, "PENDIN"}, {0x100, "TOSTOP"},  {0x10000, "EXTPROC"},
};

}  // namespace

const NameSet SigactionFlags = {{}, 0, kSigactionFlags, "SA_???"};
const NameSet SchedFlags = {{}, 0, kSchedFlags, "SCHED_FLAG_???", true};
const NameSet CapVersion = {kCapVersionChoice, ~std::uint64_t{0}, {}, "_LINUX_CAPABILITY_VERSION_???"};
const NameSet EpollEvents = {{}, 0, kEpollEvents, "EPOLL???"};
const NameSet PollEvents = {{}, 0, kPollEvents, "POLL???"};
const NameSet Propagation = {kPropagationChoice, ~std::uint64_t{0}, {}, "MS_???", true};
const NameSet StatxAttributes = {{}, 0, kStatxAttributes, "STATX_ATTR_???", true};

const NameSet FsMagic = {kFsMagicChoice, ~std::uint64_t{0}, {}, "", true, true};
const NameSet StatfsFlags = {{}, 0, kStatfsFlags, "ST_???", true};
const NameSet FutexWaiterFlags = {{}, 0, kFutexWaiterFlags, "FUTEX_???"};
const NameSet ChildCode = {kChildCodeChoice, ~std::uint64_t{0}, {}, "", false, true};
const NameSet TermInput = {{}, 0, kTermInput, ""};
const NameSet TermOutput = {{}, 0, kTermOutput, ""};
const NameSet TermSpeed = {kTermSpeedChoice, ~std::uint64_t{0}, {}, "B???", false, true};
const NameSet TermControl = {{}, 0, kTermControl, ""};
const NameSet TermLocal = {{}, 0, kTermLocal, ""};

}  // namespace rehearse::syscalls::names
