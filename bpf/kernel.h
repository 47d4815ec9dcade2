/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The few kernel structures that the programs look into, by name: offsets are filled in when they are loaded
 * (CO-RE), so a build host needs no BTF. `___x` variants are what other kernel versions call the same thing.
 */
#ifndef REHEARSE_BPF_KERNEL_H
#define REHEARSE_BPF_KERNEL_H

#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;
typedef int bool_t;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
  unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp,
      ss;
};

struct kernfs_node {
  u64 id;
};
struct cgroup {
  int level;
  struct kernfs_node* kn;
  struct cgroup* ancestors[];
};
struct css_set {
  struct cgroup* dfl_cgrp;
};

typedef struct {
  unsigned int val;
} kuid_t;
typedef struct {
  unsigned int val;
} kgid_t;
typedef struct {
  u64 val;
} kernel_cap_t;
struct cred {
  kuid_t uid;
  kgid_t gid;
  kuid_t suid;
  kgid_t sgid;
  kuid_t euid;
  kgid_t egid;
  kuid_t fsuid;
  kgid_t fsgid;
  kernel_cap_t cap_effective;
};

struct qstr {
  const unsigned char* name;
};
struct super_block {
  unsigned int s_dev;
  unsigned long s_magic;
};
struct timespec64 {
  long long tv_sec;
  long tv_nsec;
};
struct inode {
  unsigned short i_mode;
  kuid_t i_uid;
  kgid_t i_gid;
  struct super_block* i_sb;
  unsigned long i_ino;
  unsigned int i_nlink;
  unsigned int i_rdev;
  long long i_size;
  u32 i_generation;
};
struct inode___v6_1 {
  struct timespec64 i_ctime;
};
struct inode___v6_6 {
  struct timespec64 __i_ctime;
};
struct inode___v6_11 {
  long long i_ctime_sec;
  u32 i_ctime_nsec;
};
struct dentry {
  struct dentry* d_parent;
  struct qstr d_name;
  struct inode* d_inode;
};
struct vfsmount {
  struct dentry* mnt_root;
};
struct mount {
  struct mount* mnt_parent;
  struct dentry* mnt_mountpoint;
  struct vfsmount mnt;
};
struct path {
  struct vfsmount* mnt;
  struct dentry* dentry;
};
struct file {
  struct inode* f_inode;
  void* private_data;
  struct path f_path;
};
struct fs_struct {
  struct path root;
  struct path pwd;
};
struct fdtable {
  unsigned int max_fds;
  struct file** fd;
};
struct files_struct {
  struct fdtable* fdt;
};

/* fs/overlayfs/ovl_entry.h */
struct ovl_path {
  struct dentry* dentry;
};
struct ovl_entry___v6_5 {
  unsigned int __numlower;
  struct ovl_path __lowerstack[];
};
struct ovl_inode {
  struct inode vfs_inode;
  struct dentry* __upperdentry;
};
struct ovl_inode___v6_1 {
  struct ovl_path lowerpath;
};
struct ovl_inode___v6_5 {
  struct ovl_entry___v6_5* oe;
};

struct sock_common {
  unsigned short skc_family;
  u32 skc_daddr;
  u32 skc_rcv_saddr;
  u16 skc_dport;
  u16 skc_num;
  struct {
    u8 bytes[16];
  } skc_v6_daddr, skc_v6_rcv_saddr;
};
struct sock {
  struct sock_common __sk_common;
  u16 sk_type;
  u16 sk_protocol;
};
struct socket {
  struct sock* sk;
};
struct sockaddr;
/* Linux 6.7: with a length. */
struct bpf_sock_addr_kern {
  struct sockaddr* uaddr;
  u32 uaddrlen;
};

struct upid {
  int nr;
};
struct pid {
  unsigned int level;
  struct upid numbers[];
};
struct mm_struct {
  unsigned long arg_start, arg_end, env_start, env_end;
};
struct signal_struct {
  int group_exit_code;
  unsigned long maxrss;
};
typedef struct {
  int counter;
} atomic_t;
struct signal_struct___live {
  atomic_t live;
};
struct thread_info {
  unsigned long flags;
  u32 status;
};
struct task_struct {
  struct thread_info thread_info;
  int pid, tgid;
  int exit_code;
  unsigned int flags;
  u64 utime, stime, start_boottime;
  struct task_struct* real_parent;
  const struct cred* cred;
  struct mm_struct* mm;
  struct fs_struct* fs;
  struct files_struct* files;
  struct signal_struct* signal;
  struct css_set* cgroups;
  struct pid* thread_pid;
  char comm[16];
};
struct linux_binprm {
  struct file* file;
  const char* filename;
  const char* interp;
};
struct linux_binprm___bits {
  unsigned int secureexec : 1;
};
struct kernel_siginfo {
  int si_code;
};
struct io_kiocb {
  u8 opcode;
  u32 flags;
};

#pragma clang attribute pop

#endif
