// Names of the flags of mounts, quotas and swap, as the kernel's uapi headers give them; in the order in
// which strace prints.
#include "syscalls/names.h"

namespace rehearse::syscalls::names {
namespace {

constexpr Name kMountFlags[] = {
    {0xc0ed0000, "MS_MGC_VAL"},  // of Linux before 2.4, and still given
    {0x1, "MS_RDONLY"},         {0x2, "MS_NOSUID"},         {0x4, "MS_NODEV"},
    {0x8, "MS_NOEXEC"},         {0x10, "MS_SYNCHRONOUS"},   {0x20, "MS_REMOUNT"},
    {0x40, "MS_MANDLOCK"},      {0x80, "MS_DIRSYNC"},       {0x100, "MS_NOSYMFOLLOW"},
    {0x400, "MS_NOATIME"},      {0x800, "MS_NODIRATIME"},   {0x1000, "MS_BIND"},
    {0x2000, "MS_MOVE"},        {0x4000, "MS_REC"},         {0x8000, "MS_SILENT"},
    {0x10000, "MS_POSIXACL"},   {0x20000, "MS_UNBINDABLE"}, {0x40000, "MS_PRIVATE"},
    {0x80000, "MS_SLAVE"},      {0x100000, "MS_SHARED"},    {0x200000, "MS_RELATIME"},
    {0x400000, "MS_KERNMOUNT"}, {0x800000, "MS_I_VERSION"}, {0x1000000, "MS_STRICTATIME"},
    {0x2000000, "MS_LAZYTIME"}, {0x4000000, "MS_SUBMOUNT"}, {0x8000000, "MS_NOREMOTELOCK"},
    {0x10000000, "MS_NOSEC"},   {0x20000000, "MS_BORN"},    {0x40000000, "MS_ACTIVE"},
    {0x80000000, "MS_NOUSER"},
};
constexpr Name kUmountFlags[] = {
    {0x1, "MNT_FORCE"},
    {0x2, "MNT_DETACH"},
    {0x4, "MNT_EXPIRE"},
    {0x8, "UMOUNT_NOFOLLOW"},
};
constexpr Name kOpenTreeFlags[] = {
    {0x1, "OPEN_TREE_CLONE"},       {0x2, "OPEN_TREE_NAMESPACE"}, {0x80000, "OPEN_TREE_CLOEXEC"},
    {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x800, "AT_NO_AUTOMOUNT"},   {0x1000, "AT_EMPTY_PATH"},
    {0x8000, "AT_RECURSIVE"},
};
constexpr Name kMoveMountFlags[] = {
    {0x1, "MOVE_MOUNT_F_SYMLINKS"},  {0x2, "MOVE_MOUNT_F_AUTOMOUNTS"},  {0x4, "MOVE_MOUNT_F_EMPTY_PATH"},
    {0x10, "MOVE_MOUNT_T_SYMLINKS"}, {0x20, "MOVE_MOUNT_T_AUTOMOUNTS"}, {0x40, "MOVE_MOUNT_T_EMPTY_PATH"},
    {0x100, "MOVE_MOUNT_SET_GROUP"}, {0x200, "MOVE_MOUNT_BENEATH"},
};
constexpr Name kFsopenFlags[] = {
    {0x1, "FSOPEN_CLOEXEC"},
};
constexpr Name kFsconfigCommandChoice[] = {
    {0x0, "FSCONFIG_SET_FLAG"},   {0x1, "FSCONFIG_SET_STRING"},      {0x2, "FSCONFIG_SET_BINARY"},
    {0x3, "FSCONFIG_SET_PATH"},   {0x4, "FSCONFIG_SET_PATH_EMPTY"},  {0x5, "FSCONFIG_SET_FD"},
    {0x6, "FSCONFIG_CMD_CREATE"}, {0x7, "FSCONFIG_CMD_RECONFIGURE"}, {0x8, "FSCONFIG_CMD_CREATE_EXCL"},
};
constexpr Name kFsmountFlags[] = {
    {0x1, "FSMOUNT_CLOEXEC"},
    {0x2, "FSMOUNT_NAMESPACE"},
};
constexpr Name kMountAttributes[] = {
    {0x1, "MOUNT_ATTR_RDONLY"},           {0x2, "MOUNT_ATTR_NOSUID"},      {0x4, "MOUNT_ATTR_NODEV"},
    {0x8, "MOUNT_ATTR_NOEXEC"},           {0x70, "MOUNT_ATTR__ATIME"},     {0x10, "MOUNT_ATTR_NOATIME"},
    {0x20, "MOUNT_ATTR_STRICTATIME"},     {0x80, "MOUNT_ATTR_NODIRATIME"}, {0x100000, "MOUNT_ATTR_IDMAP"},
    {0x200000, "MOUNT_ATTR_NOSYMFOLLOW"},
};
constexpr Name kFspickFlags[] = {
    {0x1, "FSPICK_CLOEXEC"},
    {0x2, "FSPICK_SYMLINK_NOFOLLOW"},
    {0x4, "FSPICK_NO_AUTOMOUNT"},
    {0x8, "FSPICK_EMPTY_PATH"},
};
constexpr Name kQuotaSubcommandChoice[] = {
    {0x800001, "Q_SYNC"},     {0x800002, "Q_QUOTAON"},  {0x800003, "Q_QUOTAOFF"},
    {0x800004, "Q_GETFMT"},   {0x800005, "Q_GETINFO"},  {0x800006, "Q_SETINFO"},
    {0x800007, "Q_GETQUOTA"}, {0x800008, "Q_SETQUOTA"}, {0x800009, "Q_GETNEXTQUOTA"},
    {0x5801, "Q_XQUOTAON"},   {0x5802, "Q_XQUOTAOFF"},  {0x5803, "Q_XGETQUOTA"},
    {0x5804, "Q_XSETQLIM"},   {0x5805, "Q_XGETQSTAT"},  {0x5806, "Q_XQUOTARM"},
    {0x5807, "Q_XQUOTASYNC"}, {0x5808, "Q_XGETQSTATV"}, {0x5809, "Q_XGETNEXTQUOTA"},
};
constexpr Name kQuotaTypeChoice[] = {
    {0x0, "USRQUOTA"},
    {0x1, "GRPQUOTA"},
    {0x2, "PRJQUOTA"},
};
constexpr Name kSwapFlags[] = {
    {0x8000, "SWAP_FLAG_PREFER"},
    {0x10000, "SWAP_FLAG_DISCARD"},
    {0x20000, "SWAP_FLAG_DISCARD_ONCE"},
    {0x40000, "SWAP_FLAG_DISCARD_PAGES"},
};

}  // namespace

const NameSet MountFlags = {{}, 0, kMountFlags, "MS_???", true};
const NameSet UmountFlags = {{}, 0, kUmountFlags, "MNT_???"};
const NameSet OpenTreeFlags = {{}, 0, kOpenTreeFlags, "OPEN_TREE_???"};
const NameSet MoveMountFlags = {{}, 0, kMoveMountFlags, "MOVE_MOUNT_???"};
const NameSet FsopenFlags = {{}, 0, kFsopenFlags, "FSOPEN_???"};
const NameSet FsconfigCommand = {kFsconfigCommandChoice, ~std::uint64_t{0}, {}, "FSCONFIG_???"};
const NameSet FsmountFlags = {{}, 0, kFsmountFlags, "FSMOUNT_???"};
const NameSet MountAttributes = {{}, 0, kMountAttributes, "MOUNT_ATTR_???"};
const NameSet FspickFlags = {{}, 0, kFspickFlags, "FSPICK_???"};
const NameSet QuotaSubcommand = {kQuotaSubcommandChoice, ~std::uint64_t{0}, {}, "Q_???"};
const NameSet QuotaType = {kQuotaTypeChoice, ~std::uint64_t{0}, {}, "???QUOTA"};
const NameSet SwapFlags = {{}, 0, kSwapFlags, "SWAP_FLAG_???"};

}  // namespace rehearse::syscalls::names
