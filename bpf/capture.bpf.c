// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Records every system call and process event of the runs' control groups. Filter first, then count, then
// write: see events.h for the records and ARCHITECTURE.md for why they lie in rings of our own.
#include "ring.h"

#include <linux/in.h>

#include <bpf/bpf_endian.h>

#define TS_COMPAT 2
#define X32_BIT 0x40000000
#define OVERLAYFS_MAGIC 0x794c7630
#define SCRATCH_BYTES (24u << 10)
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define AF_PACKET 17
#define SOCK_RAW 3
#define MSGHDR_IOV 16 /* where a struct msghdr has its msg_iov */
#define EINPROGRESS 115
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define SIGIO 29
#define SI_KERNEL 0x80
#define SI_TIMER (-2)
#define POLL_IN 1
#define POLL_HUP 6
#define PF_KTHREAD 0x00200000
#define FIRST_PAGE \
  4096 /* what points there is taken for a number: hosts let nobody map it (vm.mmap_min_addr) */

/// How much of it is used lies beside the bytes, since the verifier believes nothing of what it reads from
/// there: else it follows every combination of lengths by itself (hundreds of milliseconds at each load).
struct scratch {
  u32 size;
  u32 pad;
  u8 data[SCRATCH_BYTES +
          8184]; /* what is appended last may begin just before the end; 32 KiB is the most a CPU has */
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct scratch);
} scratches SEC(".maps");

/// What is recorded of call `nr`, which is below RH_CALLS. The mask is for the verifier, which loses the
/// comparison.
static __always_inline const volatile struct rh_call_plan* plan_of(u32 nr) {
  asm volatile("" : "+r"(nr));
  return &config.calls[nr & (RH_CALLS - 1)];
}

// ---- what is attached to a record: built in the CPU's scratch, copied into the ring at once ----

struct draft {
  struct scratch* scratch;
};

static __always_inline u32 size_of(const struct draft* draft) {
  return *(volatile u32*)&draft->scratch->size;
}

/// `value`, which is at most `most`: said to the verifier of the very register that is used, since that of
/// Linux 6.1 forgets what was compared if the value lay on the stack meanwhile.
#define BOUNDED(value, most)                                                   \
  ({                                                                           \
    u64 bounded_ = (value);                                                    \
    asm volatile("if %0 <= %1 goto +1\n%0 = %1" : "+r"(bounded_) : "i"(most)); \
    bounded_;                                                                  \
  })

/// Where the next bytes go; nothing if there is no room any more.
static __always_inline void* end_of(const struct draft* draft) {
  u64 at = size_of(draft);
  if (at > SCRATCH_BYTES) return 0;
  return draft->scratch->data + BOUNDED(at, SCRATCH_BYTES);
}

static __always_inline void set_size(struct draft* draft, u32 size) {
  *(volatile u32*)&draft->scratch->size = size;
}

static __always_inline bool_t begin(struct draft* draft, u32 size) {
  u32 zero = 0;
  draft->scratch = bpf_map_lookup_elem(&scratches, &zero);
  if (!draft->scratch) return 0;
  set_size(draft, size);
  return 1;
}

static __always_inline struct rh_attachment* attach(struct draft* draft, u8 kind, u8 arg) {
  struct rh_attachment* made = end_of(draft);
  if (!made) return 0;
  made->kind = kind;
  made->arg = arg;
  made->flags = 0;
  made->pad = 0;
  made->length = 0;
  set_size(draft, size_of(draft) + sizeof *made);
  return made;
}

static __always_inline void grow(struct draft* draft, u32 bytes) {
  set_size(draft, (size_of(draft) + bytes + 7) & ~7u);
}

static __always_inline void attach_text(struct draft* draft, u8 arg, const void* from, bool_t kernel) {
  struct rh_attachment* made = attach(draft, kernel ? RH_KTEXT : RH_TEXT, arg);
  void* to = end_of(draft);
  if (!made || !to) return;
  long n = kernel ? bpf_probe_read_kernel_str(to, RH_TEXT_MAX, from)
                  : bpf_probe_read_user_str(to, RH_TEXT_MAX, from);
  if (n < 0) {
    made->flags = RH_FAULT;
    return;
  }
  if (n == 0) n = 1; /* an empty string of user space, before Linux 6.14 */
  if (n == RH_TEXT_MAX) made->flags = RH_CUT;
  made->length = (u32)n - 1;
  grow(draft, (u32)n - 1);
}

static __always_inline void attach_bytes(struct draft* draft, u8 kind, u8 arg, const void* from, u64 wanted,
                                         u32 most) {
  struct rh_attachment* made = attach(draft, kind, arg);
  void* to = end_of(draft);
  if (!made || !to) return;
  u32 length = wanted > most ? most : (u32)wanted;
  if (wanted > most) made->flags = RH_CUT;
  length &= 0xfff;
  if (length == 0) return;
  if (bpf_probe_read_user(to, length, from) != 0) {
    made->flags |= RH_FAULT;
    return;
  }
  made->length = length;
  grow(draft, length);
}

struct words {
  struct scratch* scratch;
  u64 list;
  u32 start;
  u32 length;
  u32 flags;
  u32 over;
};

static long word_step(u32 index, struct words* words) {
  u64 word = 0;
  u32 at = words->start + words->length;
  words->over = 1;
  if (bpf_probe_read_user(&word, sizeof word, (void*)(words->list + 8ull * index)) != 0) {
    words->flags = words->length ? RH_CUT : RH_FAULT;
    return 1;
  }
  if (word == 0) return 1;
  if (at > SCRATCH_BYTES || words->length > RH_WORDS_MAX) {
    words->flags = RH_CUT;
    return 1;
  }
  char* to = (char*)words->scratch->data + at;
  long n = bpf_probe_read_user_str(to, RH_WORD_MAX, (void*)word);
  if (n < 0) {
    words->flags = words->length ? RH_CUT : RH_FAULT;
    return 1;
  }
  if (n == RH_WORD_MAX) words->flags = RH_CUT;
  if (n == 0) { /* an empty one, before Linux 6.14 */
    *to = 0;
    n = 1;
  }
  words->length += (u32)n;
  words->over = 0;
  return 0;
}

/// The argument list `from` of a program that was not executed: what is, has RH_ARGV records, of the kernel's
/// own copy.
static __noinline int attach_words(struct draft* draft, u32 arg, u64 from) {
  struct rh_attachment* made = attach(draft, RH_WORDS, (u8)arg);
  if (!made || from == 0) return 0;
  struct words words = {.scratch = draft->scratch, .list = from, .start = size_of(draft)};
  bpf_loop(RH_WORD_COUNT, word_step, &words, 0);
  made->flags = words.over ? (u8)words.flags : RH_CUT;
  made->length = words.length;
  grow(draft, words.length);
  return 0;
}

#define SOCKADDR_MOST 128

/// The address that a message goes to, or came from.
static __always_inline void attach_peer(struct draft* draft, u8 arg, const void* message) {
  struct {
    u64 address;
    u32 length;
    u32 pad;
  } name = {};
  if (bpf_probe_read_user(&name, sizeof name, message) != 0 || name.address == 0) return;
  attach_bytes(draft, RH_PEER, arg, (void*)name.address, name.length, SOCKADDR_MOST);
}

/// How many bytes there are of `memory`, as the call says.
static __always_inline u64 bytes_wanted(const volatile struct rh_memory* memory, const u64* arg, s64 result) {
  u32 length = memory->length;
  if (length == RH_BY_RESULT) return result > 0 ? (u64)result * memory->unit : 0;
  if (length > 5) return memory->most;
  u64 number = arg[length];
  if (memory->unit != 0) return (u64)(u32)number * memory->unit;
  u32 there = 0;
  bpf_probe_read_user(&there, sizeof there, (void*)number);
  return there;
}

static __always_inline void attach_creds(struct draft* draft) {
  struct rh_attachment* made = attach(draft, RH_CREDS, 0);
  struct rh_creds* to = end_of(draft);
  if (!made || !to) return;
  struct task_struct* task = (void*)bpf_get_current_task();
  const struct cred* cred = BPF_CORE_READ(task, cred);
  to->uid = BPF_CORE_READ(cred, uid.val);
  to->euid = BPF_CORE_READ(cred, euid.val);
  to->suid = BPF_CORE_READ(cred, suid.val);
  to->fsuid = BPF_CORE_READ(cred, fsuid.val);
  to->gid = BPF_CORE_READ(cred, gid.val);
  to->egid = BPF_CORE_READ(cred, egid.val);
  to->sgid = BPF_CORE_READ(cred, sgid.val);
  to->fsgid = BPF_CORE_READ(cred, fsgid.val);
  to->effective = 0;
  bpf_core_read(&to->effective, sizeof to->effective, &cred->cap_effective);
  made->length = sizeof *to;
  grow(draft, sizeof *to);
}

/// The object below an overlay's: the upper's if there is one, else the topmost lower's.
static __always_inline struct inode* real_inode(struct inode* inode, u32* flags) {
  if (BPF_CORE_READ(inode, i_sb, s_magic) != OVERLAYFS_MAGIC) return inode;
  *flags = RH_ON_OVERLAY;
  if (!bpf_core_type_exists(struct ovl_inode)) return inode;
  struct ovl_inode* own = (void*)inode - bpf_core_field_offset(struct ovl_inode, vfs_inode);
  struct dentry* upper = BPF_CORE_READ(own, __upperdentry);
  struct inode* real = 0;
  if (upper) {
    *flags |= RH_UPPER;
    real = BPF_CORE_READ(upper, d_inode);
  } else if (bpf_core_field_exists(struct ovl_inode___v6_5, oe)) {
    struct ovl_entry___v6_5* entry = BPF_CORE_READ((struct ovl_inode___v6_5*)own, oe);
    real = BPF_CORE_READ(entry, __lowerstack[0].dentry, d_inode);
  } else if (bpf_core_field_exists(struct ovl_inode___v6_1, lowerpath)) {
    real = BPF_CORE_READ((struct ovl_inode___v6_1*)own, lowerpath.dentry, d_inode);
  }
  return real ? real : inode;
}

static __always_inline u64 ctime_of(struct inode* inode) {
  s64 seconds = 0;
  u64 ns = 0;
  if (bpf_core_field_exists(struct inode___v6_11, i_ctime_sec)) {
    seconds = BPF_CORE_READ((struct inode___v6_11*)inode, i_ctime_sec);
    ns = BPF_CORE_READ((struct inode___v6_11*)inode, i_ctime_nsec);
  } else if (bpf_core_field_exists(struct inode___v6_6, __i_ctime)) {
    seconds = BPF_CORE_READ((struct inode___v6_6*)inode, __i_ctime.tv_sec);
    ns = BPF_CORE_READ((struct inode___v6_6*)inode, __i_ctime.tv_nsec);
  } else {
    seconds = BPF_CORE_READ((struct inode___v6_1*)inode, i_ctime.tv_sec);
    ns = BPF_CORE_READ((struct inode___v6_1*)inode, i_ctime.tv_nsec);
  }
  /* Since Linux 6.13 the top bit says that the time was asked for. */
  return (u64)seconds * 1000000000ull + (ns & 0x7fffffff);
}

struct climb {
  struct scratch* scratch;
  struct dentry* dentry;
  struct mount* mount;
  u32 start;
  u32 length;
  u32 flags;
};

static long climb_step(u32 index, struct climb* climb) {
  struct dentry* dentry = climb->dentry;
  struct mount* mount = climb->mount;
  if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
    struct mount* parent = BPF_CORE_READ(mount, mnt_parent);
    if (parent == mount) return 1;
    climb->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
    climb->mount = parent;
    return 0;
  }
  struct dentry* parent = BPF_CORE_READ(dentry, d_parent);
  u32 at = climb->start + climb->length;
  if (at > SCRATCH_BYTES || climb->length > RH_TEXT_MAX) {
    climb->flags |= RH_CUT;
    return 1;
  }
  const unsigned char* name = BPF_CORE_READ(dentry, d_name.name);
  long n = bpf_probe_read_kernel_str(climb->scratch->data + at, 256, name);
  if (n > 0) climb->length += (u32)n;
  if (parent == dentry) return 1; /* of no mount, like a pipe or a memfd */
  climb->dentry = parent;
  return 0;
}

/// What lies at `path`, and where that is. Not inlined: a record has up to three.
static __noinline int attach_object(struct draft* draft, struct path* at, u8 which) {
  struct dentry* dentry = BPF_CORE_READ(at, dentry);
  struct vfsmount* mnt = BPF_CORE_READ(at, mnt);
  struct inode* inode = BPF_CORE_READ(dentry, d_inode);
  struct rh_attachment* made = attach(draft, RH_FILE, which);
  struct rh_file* to = end_of(draft);
  if (!made || !inode || !to) return 0;
  u32 flags = 0;
  struct inode* real = real_inode(inode, &flags);
  to->ino = BPF_CORE_READ(real, i_ino);
  to->ctime_ns = ctime_of(real);
  to->size = (u64)BPF_CORE_READ(real, i_size);
  to->dev = BPF_CORE_READ(real, i_sb, s_dev);
  to->generation = BPF_CORE_READ(real, i_generation);
  to->mode = BPF_CORE_READ(real, i_mode);
  to->nlink = BPF_CORE_READ(real, i_nlink);
  to->uid = BPF_CORE_READ(real, i_uid.val);
  to->gid = BPF_CORE_READ(real, i_gid.val);
  to->flags = flags;
  to->rdev = BPF_CORE_READ(real, i_rdev);
  made->length = sizeof *to;
  grow(draft, sizeof *to);

  struct rh_attachment* path = attach(draft, RH_PATH, which);
  if (!path) return 0;
  struct climb climb = {
      .scratch = draft->scratch,
      .dentry = dentry,
      .mount = (void*)mnt - bpf_core_field_offset(struct mount, mnt),
      .start = size_of(draft),
  };
  bpf_loop(256, climb_step, &climb, 0);
  path->flags = climb.flags;
  path->length = climb.length;
  grow(draft, climb.length);
  return 0;
}

static __always_inline void attach_file(struct draft* draft, struct file* file) {
  attach_object(draft, &file->f_path, RH_OPENED);
}

/// From where the thread's relative and absolute names begin.
static __always_inline void attach_places(struct draft* draft) {
  struct task_struct* task = (void*)bpf_get_current_task();
  struct fs_struct* fs = BPF_CORE_READ(task, fs);
  if (!fs) return;
  attach_object(draft, &fs->pwd, RH_CWD);
  attach_object(draft, &fs->root, RH_ROOT);
}

static __always_inline struct file* file_of(int fd) {
  struct task_struct* task = (void*)bpf_get_current_task();
  struct fdtable* table = BPF_CORE_READ(task, files, fdt);
  if (fd < 0 || (u32)fd >= BPF_CORE_READ(table, max_fds)) return 0;
  struct file** slots = BPF_CORE_READ(table, fd);
  struct file* file = 0;
  bpf_probe_read_kernel(&file, sizeof file, slots + fd);
  return file;
}

static __always_inline void attach_descriptor(struct draft* draft, int fd) {
  struct file* file = file_of(fd);
  if (file) attach_file(draft, file);
}

/// The hooks of the gate hear of what such a socket sends.
static __always_inline bool_t is_judged(u16 family, u16 type, u16 protocol) {
  if (family == AF_PACKET || type == SOCK_RAW) return 0;
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_MPTCP;
}

/// Where the internet socket `fd` is connected to, and from which port: by it the gate's word of a connection
/// is known to be this process's. Of what `sends`, the sockets that the gate's hooks do not judge: whoever
/// has got them in whatever way, the kernel knows what they are.
static __always_inline void attach_ends(struct draft* draft, int fd, bool_t sends) {
  struct file* file = file_of(fd);
  if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK) return;
  struct socket* socket = BPF_CORE_READ(file, private_data);
  struct sock* sock = BPF_CORE_READ(socket, sk);
  u16 family = BPF_CORE_READ(sock, __sk_common.skc_family);
  if (family != AF_INET && family != AF_INET6 && !(family == AF_PACKET && sends)) return;
  u16 type = BPF_CORE_READ(sock, sk_type);
  u16 protocol = BPF_CORE_READ(sock, sk_protocol);
  if (sends && is_judged(family, type, protocol)) return;
  struct rh_attachment* made = attach(draft, RH_ENDS, 0);
  struct rh_ends* to = end_of(draft);
  if (!made || !to) return;
  if (family == AF_INET) {
    __builtin_memset(to->remote, 0, 10);
    to->remote[10] = to->remote[11] = 0xff;
    u32 address = BPF_CORE_READ(sock, __sk_common.skc_daddr);
    __builtin_memcpy(to->remote + 12, &address, 4);
  } else if (family == AF_INET6) {
    bpf_core_read(to->remote, 16, &sock->__sk_common.skc_v6_daddr);
  } else {
    __builtin_memset(to->remote, 0, 16);
  }
  to->remote_port = bpf_ntohs(BPF_CORE_READ(sock, __sk_common.skc_dport));
  to->local_port = BPF_CORE_READ(sock, __sk_common.skc_num);
  to->protocol = protocol;
  to->type = (u8)type;
  to->family = (u8)family;
  made->length = sizeof *to;
  grow(draft, sizeof *to);
}

/// How what is sent to the kernel by the netlink socket `fd` begins: `bytes` from `from` on, or in the first
/// buffer of the struct msghdr there.
static __always_inline void attach_netlink(struct draft* draft, int fd, u64 from, u64 bytes, bool_t message) {
  struct file* file = file_of(fd);
  if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK) return;
  struct socket* socket = BPF_CORE_READ(file, private_data);
  struct sock* sock = BPF_CORE_READ(socket, sk);
  if (BPF_CORE_READ(sock, __sk_common.skc_family) != AF_NETLINK) return;
  struct rh_attachment* made = attach(draft, RH_NETLINK, 1);
  struct rh_netlink* to = end_of(draft);
  if (!made || !to) return;
  struct {
    u64 base;
    u64 length;
  } buffer = {from, bytes};
  if (message) {
    u64 vector = 0;
    buffer.base = 0;
    bpf_probe_read_user(&vector, sizeof vector, (void*)(from + MSGHDR_IOV));
    bpf_probe_read_user(&buffer, sizeof buffer, (void*)vector);
  }
  struct {
    u32 length;
    u16 type;
    u16 flags;
  } first = {};
  u32 next = 0;
  bool_t there =
      buffer.length >= sizeof first && bpf_probe_read_user(&first, sizeof first, (void*)buffer.base) == 0;
  u64 end = ((u64)first.length + 3) & ~3ull;
  if (there && end + sizeof first <= buffer.length)
    bpf_probe_read_user(&next, sizeof next, (void*)(buffer.base + end));
  to->protocol = BPF_CORE_READ(sock, sk_protocol);
  to->read = there;
  to->length = first.length;
  to->type = first.type;
  to->flags = first.flags;
  to->bytes = (u32)buffer.length;
  to->next = next;
  made->length = sizeof *to;
  grow(draft, sizeof *to);
}

/// The draft, as one record.
static __always_inline void publish(struct run* run, struct draft* draft) {
  u32 size = size_of(draft);
  if (size > sizeof draft->scratch->data || size < sizeof(struct rh_head)) {
    __sync_fetch_and_add(&run->ring->lost, 1);
    return;
  }
  void* to = reserve(run, size);
  if (!to) return;
  /* The first word is the commit; the time is that of the place in the ring. */
  bpf_probe_read_kernel(to + 8, (size - 8) & (RH_RECORD_MAX - 1), draft->scratch->data + 8);
  struct rh_head* head = to;
  struct rh_head* from = (void*)draft->scratch->data;
  head->kind = from->kind;
  head->abi = from->abi;
  head->args = from->args;
  head->time_ns = bpf_ktime_get_ns();
  commit(run, head, size);
}

// ---- system calls ----

static __always_inline void read_arguments(u64* to, struct pt_regs* regs, bool_t compat) {
  if (compat) {
    to[0] = (u32)regs->bx;
    to[1] = (u32)regs->cx;
    to[2] = (u32)regs->dx;
    to[3] = (u32)regs->si;
    to[4] = (u32)regs->di;
    to[5] = (u32)regs->bp;
  } else {
    to[0] = regs->di;
    to[1] = regs->si;
    to[2] = regs->dx;
    to[3] = regs->r10;
    to[4] = regs->r8;
    to[5] = regs->r9;
  }
}

static __always_inline void record_plain(struct run* run, struct pt_regs* regs, u8 kind, u32 nr, s64 result,
                                         u32 args) {
  u32 size = RH_CALL_BYTES(args);
  struct rh_call* call = reserve(run, size);
  if (!call) return;
  fill_head(&call->head, kind);
  call->head.args = (u16)args;
  call->head.nr = nr;
  call->result = result;
  if (args > 0) call->arg[0] = regs->di;
  if (args > 1) call->arg[1] = regs->si;
  if (args > 2) call->arg[2] = regs->dx;
  if (args > 3) call->arg[3] = regs->r10;
  if (args > 4) call->arg[4] = regs->r8;
  if (args > 5) call->arg[5] = regs->r9;
  commit(run, &call->head, size);
}

/// Whether memory that a call reads (or fills in) is to be looked at now.
static __always_inline bool_t is_moment(u32 direction, u32 flags, u8 kind, s64 result) {
  if (direction == RH_OUT) return kind == RH_EXIT && result >= 0;
  return kind == RH_ENTER || !(flags & RH_AT_ENTRY) || result < 0;
}

/// Or begins to.
static __always_inline bool_t connects(const volatile struct rh_call_plan* plan, s64 result) {
  return (plan->flags & RH_CONNECTS) && (result >= 0 || result == -EINPROGRESS);
}

/// A pointer and a number, and what lies where the pointer leads.
static __always_inline void attach_nested(struct draft* draft, u8 arg, const void* from) {
  struct rh_attachment* made = attach(draft, RH_BLOB, arg);
  struct {
    u64 inner;
    u64 length;
    u64 bytes;
  }* to = end_of(draft);
  if (!made || !to) return;
  if (bpf_probe_read_user(to, RH_NESTED_HEAD, from) != 0) {
    made->flags = RH_FAULT;
    return;
  }
  u32 length = RH_NESTED_HEAD;
  if (to->inner >= FIRST_PAGE && bpf_probe_read_user(&to->bytes, RH_NESTED_BYTES, (void*)to->inner) == 0)
    length += RH_NESTED_BYTES;
  made->length = length;
  grow(draft, length);
}

/// Where it is, 0 if it was not to be looked at.
static __always_inline u64 attach_memory(struct draft* draft, const volatile struct rh_memory* memory,
                                         const volatile struct rh_call_plan* plan, u8 kind, s64 result) {
  struct rh_call* call = (void*)draft->scratch->data;
  u32 which = memory->arg;
  if (which > 5) return 0;
  u64 from = call->arg[which];
  if (from < FIRST_PAGE || !is_moment(memory->direction, plan->flags, kind, result)) return 0;
  if (memory->length == RH_NESTED)
    attach_nested(draft, (u8)which, (void*)from);
  else
    attach_bytes(draft, RH_BLOB, (u8)which, (void*)from, bytes_wanted(memory, call->arg, result),
                 memory->most);
  return from;
}

#define EVERY_CALL_HAS 2 /* memories at most, but for a few calls */

struct memories {
  struct draft draft;
  const volatile struct rh_call_plan* plan;
  s64 result;
  u64 kind;
};

static long memory_step(u32 index, struct memories* all) {
  u64 at = index + EVERY_CALL_HAS;
  if (at >= RH_MEMORIES) return 1;
  const volatile struct rh_memory* memory = &all->plan->memory[at];
  if (memory->arg > 5) return 1;
  attach_memory(&all->draft, memory, all->plan, (u8)all->kind, all->result);
  return 0;
}

static __always_inline void record_full(struct run* run, struct pt_regs* regs, u8 kind, u32 nr, s64 result,
                                        const volatile struct rh_call_plan* plan, u8 abi) {
  struct draft draft;
  if (!begin(&draft, RH_CALL_BYTES(6))) return;
  struct rh_call* call = (void*)draft.scratch->data;
  fill_head(&call->head, kind);
  call->head.abi = abi;
  call->head.args = 6;
  call->head.nr = nr;
  call->result = result;
  u64 arg[6];
  read_arguments(arg, regs, abi == 1);
#pragma unroll
  for (int i = 0; i < 6; ++i) call->arg[i] = arg[i];
  if (plan && abi != 1) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      u32 which = plan->text[i];
      if (which > 5) break;
      u64 from = call->arg[which];
      if (from) attach_text(&draft, (u8)which, (void*)from, 0);
    }
#pragma unroll
    for (int i = 0; i < EVERY_CALL_HAS; ++i) {
      u64 from = attach_memory(&draft, &plan->memory[i], plan, kind, result);
      if (i == 0 && from && (plan->flags & RH_MESSAGE)) attach_peer(&draft, plan->memory[i].arg, (void*)from);
    }
    if (plan->memory[EVERY_CALL_HAS].arg != RH_NONE) {
      struct memories all = {.draft = draft, .plan = plan, .result = result, .kind = kind};
      bpf_loop(RH_MEMORIES - EVERY_CALL_HAS, memory_step, &all, 0);
    }
    if (kind == RH_EXIT && result < 0 && plan->words < 6)
      attach_words(&draft, plan->words, call->arg[plan->words & 7]);
    if (plan->flags & RH_SENDS)
      attach_netlink(&draft, (int)call->arg[0], call->arg[1], call->arg[2], (plan->flags & RH_MESSAGE) != 0);
    if (kind == RH_EXIT && result >= 0) {
      if (plan->flags & RH_RETURNS_FD) attach_descriptor(&draft, (int)result);
      if (plan->flags & RH_HAS_CREDS) attach_creds(&draft);
      if (plan->flags & RH_MOVES) attach_places(&draft);
    }
    bool_t sends = (plan->flags & RH_SENDS) != 0;
    if (sends || (kind == RH_EXIT && connects(plan, result))) attach_ends(&draft, (int)call->arg[0], sends);
  }
  publish(run, &draft);
}

static __always_inline u8 abi_of(u32 nr) {
  struct task_struct* task = (void*)bpf_get_current_task_btf();
  if (task->thread_info.status & TS_COMPAT) return 1;
  return nr != 0xffffffff && (nr & X32_BIT) ? 2 : 0;
}

/// What the kernel wants of a thread before it is in user space again, to let another run above all. The
/// bits' places differ from version to version (x86 until 6.17: arch/x86/include/asm/thread_info.h, then
/// include/asm-generic/thread_info_tif.h); they are among the first five in both. Of the others there only
/// that of single steps stays set: such a thread is not held up.
#define WANTED 0x1f
#define BRAKE_NS 100000000ull

struct brake {
  struct rh_ring* ring;
  u64 most;
  u64 until;
  u64 now;
};

static long brake_on(u32 index, struct brake* brake) {
  struct rh_ring* ring = brake->ring;
  if (ring->head - *(volatile u64*)&ring->tail <= brake->most) return 1;
  struct task_struct* task = (void*)bpf_get_current_task_btf();
  if (*(volatile unsigned long*)&task->thread_info.flags & WANTED) return 1;
  brake->now = bpf_ktime_get_ns();
  return brake->now >= brake->until;
}

/// Nearly no room is left, and the governor has been called. It freezes the run within microseconds, except
/// where its processor stands still: in a virtual machine, at the hypervisor's pleasure. Then waiting is all
/// that can be done here. It is over at once when the reader has made room, when the run is being frozen, or
/// when anybody else wants this processor; and when it was for nothing, it is not tried again.
static __always_inline void hold_up(struct rh_ring* ring) {
  u64 room = ring->mask + 1;
  u64 most = room - (room >> 2);
  u64 tail = *(volatile u64*)&ring->tail;
  if (ring->head - tail <= most || ring->given_up_at == tail + 1) return;
  u64 begun = bpf_ktime_get_ns();
  struct brake brake = {.ring = ring, .most = most, .until = begun + BRAKE_NS, .now = begun};
  bpf_loop(1 << 23, brake_on, &brake, 0);
  if (brake.now >= brake.until) ring->given_up_at = tail + 1;
  ring->brakes++;
  ring->braked_ns += brake.now - begun;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs* regs, long result) {
  struct run run = {};
  if (!current_run(&run)) return 0;
  run.ring->syscalls++;
  u32 nr = (u32)regs->orig_ax;
  u8 abi = abi_of(nr);
  if (abi == 0 && nr < RH_CALLS) {
    const volatile struct rh_call_plan* plan = plan_of(nr);
    if (plan->text[0] == RH_NONE && plan->memory[0].arg == RH_NONE &&
        !(plan->flags & (RH_RETURNS_FD | RH_HAS_CREDS | RH_MOVES | RH_SENDS)) && !connects(plan, result))
      record_plain(&run, regs, RH_EXIT, nr, result, plan->args);
    else
      record_full(&run, regs, RH_EXIT, nr, result, plan, abi);
  } else {
    record_full(&run, regs, RH_EXIT, nr, result, 0, abi);
  }
  hold_up(run.ring);
  return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs* regs, long id) {
  u32 nr = (u32)id;
  if (nr >= RH_CALLS) return 0;
  const volatile struct rh_call_plan* plan = plan_of(nr);
  if (!(plan->flags & RH_AT_ENTRY)) return 0;
  struct run run = {};
  if (!current_run(&run)) return 0;
  u8 abi = abi_of(nr);
  if (abi != 0) return 0;
  if (plan->text[0] == RH_NONE && plan->memory[0].arg == RH_NONE)
    record_plain(&run, regs, RH_ENTER, nr, 0, plan->args);
  else
    record_full(&run, regs, RH_ENTER, nr, 0, plan, abi);
  return 0;
}

// ---- processes ----

/// A run's first process is born here, by a parent that is outside.
static __always_inline void learn_level(struct task_struct* child) {
  struct cgroup* group = BPF_CORE_READ(child, cgroups, dfl_cgrp);
  u64 id = BPF_CORE_READ(group, kn, id);
  u32 level = (u32)BPF_CORE_READ(group, level);
  if (level == 0 || !bpf_map_lookup_elem(&runs, &id)) return;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    u32 known = *(volatile u32*)&levels[i];
    if (known == level) return;
    if (known == 0) {
      levels[i] = level;
      return;
    }
  }
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct* parent, struct task_struct* child) {
  learn_level(child);
  struct run run = {};
  if (!run_of(child, &run)) return 0;
  struct rh_fork* fork = reserve(&run, sizeof *fork);
  if (!fork) return 0;
  fill_head(&fork->head, RH_FORK);
  fork->parent_tgid = (u32)BPF_CORE_READ(child, real_parent, tgid);
  fork->child_tid = (u32)child->pid;
  fork->child_tgid = (u32)child->tgid;
  struct pid* pid = BPF_CORE_READ(child, thread_pid);
  u32 level = BPF_CORE_READ(pid, level);
  /* An array whose elements are larger than ours. */
  void* number =
      (void*)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
  fork->inner_tid = 0;
  bpf_probe_read_kernel(&fork->inner_tid, sizeof fork->inner_tid, number);
  fork->start_ns = child->start_boottime;
  fork->flags = 0;
  bpf_core_read(fork->comm, sizeof fork->comm, &child->comm);
  commit(&run, &fork->head, sizeof *fork);
  return 0;
}

struct arguments {
  struct run* run;
  u64 start;
  u64 end;
};

static long record_chunk(u32 index, struct arguments* list) {
  u64 offset = (u64)index * RH_CHUNK_BYTES;
  if (list->start + offset >= list->end) return 1;
  u64 left = list->end - list->start - offset;
  u32 length = left < RH_CHUNK_BYTES ? (u32)left : RH_CHUNK_BYTES;
  u32 size = (sizeof(struct rh_chunk) + length + 7) & ~7u;
  struct rh_chunk* chunk = reserve(list->run, size);
  if (!chunk) return 0;
  fill_head(&chunk->head, RH_ARGV);
  chunk->head.nr = (u32)offset;
  chunk->length = length;
  chunk->flags = 0;
  length = (length - 1) & 0xfff;
  if (bpf_probe_read_user(chunk + 1, length + 1, (void*)(list->start + offset)) != 0) chunk->flags = RH_FAULT;
  commit(list->run, &chunk->head, size);
  return 0;
}

/// Attaches a program; whether it may be gone when the run ends, being none of the host's. The answer is read
/// from what was attached: a result of attach_object() has the verifier try everything twice.
static __always_inline bool_t attach_program(struct draft* draft, struct file* file) {
  struct rh_attachment* made = end_of(draft);
  if (!made) return 0;
  attach_file(draft, file);
  return ((struct rh_file*)(made + 1))->flags != RH_ON_OVERLAY;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct* task, int old_pid, struct linux_binprm* bprm) {
  struct run run = {};
  if (!current_run(&run)) return 0;
  struct draft draft;
  if (!begin(&draft, sizeof(struct rh_exec))) return 0;
  struct rh_exec* exec = (void*)draft.scratch->data;
  fill_head(&exec->head, RH_EXEC);
  struct mm_struct* mm = BPF_CORE_READ(task, mm);
  u64 start = BPF_CORE_READ(mm, arg_start);
  u64 end = BPF_CORE_READ(mm, arg_end);
  exec->tgid = (u32)task->tgid;
  exec->old_tid = (u32)old_pid;
  exec->arg_bytes = (u32)(end - start);
  exec->env_bytes = (u32)(BPF_CORE_READ(mm, env_end) - BPF_CORE_READ(mm, env_start));
  exec->secure = (u32)BPF_CORE_READ_BITFIELD_PROBED((struct linux_binprm___bits*)bprm, secureexec);
  exec->pad = 0;
  bpf_core_read(exec->comm, sizeof exec->comm, &task->comm);
  attach_text(&draft, 0, BPF_CORE_READ(bprm, filename), 1);
  attach_text(&draft, 1, BPF_CORE_READ(bprm, interp), 1);
  attach_creds(&draft);
  struct file* file = BPF_CORE_READ(bprm, file);
  bool_t fleeting = file && attach_program(&draft, file);
  attach_places(&draft);
  publish(&run, &draft);
  struct arguments list = {.run = &run, .start = start, .end = end};
  bpf_loop(1024, record_chunk, &list, 0);
  if (fleeting) call_governor(&run); /* who has it read before it can be gone */
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_death, struct task_struct* task) {
  struct run run = {};
  if (!current_run(&run)) return 0;
  struct rh_death* death = reserve(&run, sizeof *death);
  if (!death) return 0;
  fill_head(&death->head, RH_DEATH);
  death->head.tid = (u32)task->pid;
  death->tgid = (u32)task->tgid;
  death->status = task->exit_code;
  death->last = BPF_CORE_READ((struct signal_struct___live*)task->signal, live.counter) == 0;
  death->pad = 0;
  death->user_ns = task->utime;
  death->system_ns = task->stime;
  death->max_rss_bytes = BPF_CORE_READ(task, signal, maxrss) * 4096;
  commit(&run, &death->head, sizeof *death);
  return 0;
}

/// The current thread is in a call that sends a signal with a code of the caller's choice: rt_sigqueueinfo,
/// rt_tgsigqueueinfo or pidfd_send_signal, of any of the three interfaces.
static __always_inline bool_t chooses_code(struct task_struct* task) {
  struct pt_regs* regs = (void*)bpf_task_pt_regs(task);
  u64 nr = BPF_CORE_READ(regs, orig_ax);
  if (BPF_CORE_READ(task, thread_info.status) & TS_COMPAT) return nr == 178 || nr == 335 || nr == 424;
  return nr == 129 || nr == 297 || nr == 424 || nr == (X32_BIT | 524) || nr == (X32_BIT | 536) ||
         nr == (X32_BIT | 424);
}

/// Whose signal it is, if it is that of the current thread at all.
static __always_inline u32 sender_of(int number, int code, bool_t ours) {
  struct task_struct* task = (void*)bpf_get_current_task_btf();
  if (ours && chooses_code(task)) return RH_BY_CALLER;
  if (code == SI_KERNEL || code == SI_TIMER) return RH_BY_KERNEL;
  if (number == SIGIO && code >= POLL_IN && code <= POLL_HUP) return RH_BY_KERNEL;
  if (BPF_CORE_READ(task, flags) & PF_KTHREAD) return RH_BY_KERNEL; /* the idle one, too */
  return ours ? RH_BY_CALLER : RH_BY_OUTSIDER;
}

SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int number, struct kernel_siginfo* info, struct task_struct* task, int group,
             int result) {
  struct run run = {};
  struct run target = {};
  bool_t ours = current_run(&run);
  bool_t inside = run_of(task, &target);
  if (!ours && !inside) return 0;
  if (inside) run = target; /* an interrupt may have found anybody on the CPU, of another run too */
  struct rh_signal* signal = reserve(&run, sizeof *signal);
  if (!signal) return 0;
  fill_head(&signal->head, RH_SIGNAL);
  signal->signal = number;
  /* SEND_SIG_NOINFO and SEND_SIG_PRIV are 0 and 1. */
  signal->code = (u64)info > 1 ? BPF_CORE_READ(info, si_code) : (u64)info == 1 ? SI_KERNEL : 0;
  signal->target_tid = (u32)task->pid;
  signal->target_tgid = (u32)task->tgid;
  signal->result = (u32)result;
  signal->inside = (u16)inside;
  signal->sender = (u16)sender_of(number, signal->code, ours);
  signal->head.nr = (u32)(bpf_get_current_pid_tgid() >> 32);
  commit(&run, &signal->head, sizeof *signal);
  return 0;
}

SEC("tp_btf/task_rename")
int BPF_PROG(on_rename, struct task_struct* task, const char* comm) {
  struct run run = {};
  if (!current_run(&run)) return 0;
  struct rh_name* name = reserve(&run, sizeof *name);
  if (!name) return 0;
  fill_head(&name->head, RH_NAME);
  name->head.tid = (u32)task->pid;
  bpf_probe_read_kernel_str(name->comm, sizeof name->comm, comm);
  commit(&run, &name->head, sizeof *name);
  return 0;
}

SEC("?tp_btf/io_uring_submit_req")
int BPF_PROG(on_uring, struct io_kiocb* request) {
  struct run run = {};
  if (!current_run(&run)) return 0;
  struct rh_uring* uring = reserve(&run, sizeof *uring);
  if (!uring) return 0;
  fill_head(&uring->head, RH_URING);
  uring->opcode = BPF_CORE_READ(request, opcode);
  uring->flags = (u32)BPF_CORE_READ(request, flags);
  commit(&run, &uring->head, sizeof *uring);
  return 0;
}
