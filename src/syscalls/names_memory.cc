// Names of the flags of memory calls, as the kernel's uapi headers give them; in the order in which strace
// prints.
#include "syscalls/names.h"

namespace rehearse::syscalls::names {
namespace {

constexpr Name kMmapProt[] = {
    {0x0, "PROT_NONE"},          {0x1, "PROT_READ"}, {0x2, "PROT_WRITE"},
    {0x4, "PROT_EXEC"},          {0x8, "PROT_SEM"},  {0x1000000, "PROT_GROWSDOWN"},
    {0x2000000, "PROT_GROWSUP"},
};
constexpr Name kMmapFlagsChoice[] = {
    {0x0, "MAP_FILE"},      {0x1, "MAP_SHARED"}, {0x2, "MAP_PRIVATE"}, {0x3, "MAP_SHARED_VALIDATE"},
    {0x8, "MAP_DROPPABLE"},
};
constexpr Name kMmapFlags[] = {
    {0x10, "MAP_FIXED"},        {0x20, "MAP_ANONYMOUS"},   {0x40, "MAP_32BIT"},
    {0x80, "MAP_ABOVE4G"},      {0x4000, "MAP_NORESERVE"}, {0x8000, "MAP_POPULATE"},
    {0x10000, "MAP_NONBLOCK"},  {0x100, "MAP_GROWSDOWN"},  {0x800, "MAP_DENYWRITE"},
    {0x1000, "MAP_EXECUTABLE"}, {0x2000, "MAP_LOCKED"},    {0x20000, "MAP_STACK"},
    {0x40000, "MAP_HUGETLB"},   {0x80000, "MAP_SYNC"},     {0x100000, "MAP_FIXED_NOREPLACE"},
};
constexpr Name kRemapFlagsChoice[] = {
    {0x0, "MAP_FILE"},
    {0x1, "MAP_SHARED"},
    {0x2, "MAP_PRIVATE"},
};
constexpr Name kRemapFlags[] = {
    {0x10000, "MAP_NONBLOCK"},
};
constexpr Name kMremapFlags[] = {
    {0x1, "MREMAP_MAYMOVE"},
    {0x2, "MREMAP_FIXED"},
    {0x4, "MREMAP_DONTUNMAP"},
};
constexpr Name kMsyncFlags[] = {
    {0x4, "MS_SYNC"},
    {0x1, "MS_ASYNC"},
    {0x2, "MS_INVALIDATE"},
};
constexpr Name kMadviseChoice[] = {
    {0x0, "MADV_NORMAL"},           {0x1, "MADV_RANDOM"},         {0x2, "MADV_SEQUENTIAL"},
    {0x3, "MADV_WILLNEED"},         {0x4, "MADV_DONTNEED"},       {0x8, "MADV_FREE"},
    {0x9, "MADV_REMOVE"},           {0xa, "MADV_DONTFORK"},       {0xb, "MADV_DOFORK"},
    {0xc, "MADV_MERGEABLE"},        {0xd, "MADV_UNMERGEABLE"},    {0xe, "MADV_HUGEPAGE"},
    {0xf, "MADV_NOHUGEPAGE"},       {0x10, "MADV_DONTDUMP"},      {0x11, "MADV_DODUMP"},
    {0x12, "MADV_WIPEONFORK"},      {0x13, "MADV_KEEPONFORK"},    {0x14, "MADV_COLD"},
    {0x15, "MADV_PAGEOUT"},         {0x16, "MADV_POPULATE_READ"}, {0x17, "MADV_POPULATE_WRITE"},
    {0x18, "MADV_DONTNEED_LOCKED"}, {0x19, "MADV_COLLAPSE"},      {0x64, "MADV_HWPOISON"},
    {0x65, "MADV_SOFT_OFFLINE"},    {0x66, "MADV_GUARD_INSTALL"}, {0x67, "MADV_GUARD_REMOVE"},
};
constexpr Name kMlockallFlags[] = {
    {0x1, "MCL_CURRENT"},
    {0x2, "MCL_FUTURE"},
    {0x4, "MCL_ONFAULT"},
};
constexpr Name kMlockFlags[] = {
    {0x1, "MLOCK_ONFAULT"},
};
constexpr Name kPkeyRights[] = {
    {0x1, "PKEY_DISABLE_ACCESS"},
    {0x2, "PKEY_DISABLE_WRITE"},
};
constexpr Name kMempolicyModeChoice[] = {
    {0x0, "MPOL_DEFAULT"},
    {0x1, "MPOL_PREFERRED"},
    {0x2, "MPOL_BIND"},
    {0x3, "MPOL_INTERLEAVE"},
    {0x4, "MPOL_LOCAL"},
    {0x5, "MPOL_PREFERRED_MANY"},
    {0x6, "MPOL_WEIGHTED_INTERLEAVE"},
};
constexpr Name kMempolicyMode[] = {
    {0x8000, "MPOL_F_STATIC_NODES"},
    {0x4000, "MPOL_F_RELATIVE_NODES"},
    {0x2000, "MPOL_F_NUMA_BALANCING"},
};
constexpr Name kMempolicyFlags[] = {
    {0x1, "MPOL_MF_STRICT"},
    {0x2, "MPOL_MF_MOVE"},
    {0x4, "MPOL_MF_MOVE_ALL"},
};
constexpr Name kGetMempolicyFlags[] = {
    {0x1, "MPOL_F_NODE"},
    {0x2, "MPOL_F_ADDR"},
    {0x4, "MPOL_F_MEMS_ALLOWED"},
};
constexpr Name kMembarrierCommand[] = {
    {0x0, "MEMBARRIER_CMD_QUERY"},
    {0x1, "MEMBARRIER_CMD_GLOBAL"},
    {0x2, "MEMBARRIER_CMD_GLOBAL_EXPEDITED"},
    {0x4, "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED"},
    {0x8, "MEMBARRIER_CMD_PRIVATE_EXPEDITED"},
    {0x10, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED"},
    {0x20, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE"},
    {0x40, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE"},
    {0x80, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ"},
    {0x100, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ"},
    {0x200, "MEMBARRIER_CMD_GET_REGISTRATIONS"},
};
constexpr Name kShadowStackFlags[] = {
    {0x1, "SHADOW_STACK_SET_TOKEN"},
    {0x2, "SHADOW_STACK_SET_MARKER"},
};

}  // namespace

const NameSet MmapProt = {{}, 0, kMmapProt, "PROT_???", true};
const NameSet MmapFlags = {kMmapFlagsChoice, 0xf, kMmapFlags, "MAP_???", true};
const NameSet RemapFlags = {kRemapFlagsChoice, 0xf, kRemapFlags, "MAP_???"};
const NameSet MremapFlags = {{}, 0, kMremapFlags, "MREMAP_???", true};
const NameSet MsyncFlags = {{}, 0, kMsyncFlags, "MS_???"};
const NameSet Madvise = {kMadviseChoice, ~std::uint64_t{0}, {}, "MADV_???"};
const NameSet MlockallFlags = {{}, 0, kMlockallFlags, "MCL_???"};
const NameSet MlockFlags = {{}, 0, kMlockFlags, "MLOCK_???"};
const NameSet PkeyRights = {{}, 0, kPkeyRights, "PKEY_???"};
const NameSet MempolicyMode = {kMempolicyModeChoice, 0xfff, kMempolicyMode, "MPOL_???"};
const NameSet MempolicyFlags = {{}, 0, kMempolicyFlags, "MPOL_???"};
const NameSet GetMempolicyFlags = {{}, 0, kGetMempolicyFlags, "MPOL_???"};
const NameSet MembarrierCommand = {{}, 0, kMembarrierCommand, "MEMBARRIER_CMD_???"};
const NameSet ShadowStackFlags = {{}, 0, kShadowStackFlags, "SHADOW_STACK_???"};

}  // namespace rehearse::syscalls::names
