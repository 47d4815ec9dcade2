/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the programs in capture.bpf.c write and src/trace reads: records in one ring a CPU. Plain C for both
 * sides; all numbers are the machine's own (the ring never leaves it). */
#ifndef REHEARSE_BPF_EVENTS_H
#define REHEARSE_BPF_EVENTS_H

#include <linux/types.h>

#define RH_RING_BYTES (4u << 20)  /* of data, at most; a power of two */
#define RH_RING_SLACK (64u << 10) /* a record is never split: it may run this far past the end */
#define RH_RECORD_MAX (32u << 10)
#define RH_TEXT_MAX 4096u    /* PATH_MAX, with the NUL */
#define RH_CHUNK_BYTES 4096u /* of an argument list */
#define RH_WORD_MAX 512u     /* of one that was not executed, a word with its NUL; */
#define RH_WORD_COUNT 64u    /* that many words, */
#define RH_WORDS_MAX 3072u   /* until these bytes are there */
#define RH_CALLS 512u
#define RH_SLOTS 256u /* runs at once */

enum rh_kind {
  RH_EXIT = 1,    /* a system call returned: rh_call, then attachments */
  RH_ENTER = 2,   /* a system call begins: rh_call without a result, then attachments */
  RH_FORK = 3,    /* rh_fork */
  RH_EXEC = 4,    /* rh_exec, then attachments; RH_ARGV records of the same thread follow */
  RH_ARGV = 5,    /* rh_chunk, then bytes */
  RH_DEATH = 6,   /* rh_death: a thread ended */
  RH_SIGNAL = 7,  /* rh_signal */
  RH_NAME = 8,    /* rh_name: a thread took another name */
  RH_URING = 9,   /* rh_uring: io_uring did something that no system call shows */
  RH_SOCKET = 10, /* rh_socket: a socket was given an address */
  RH_PACKET = 11, /* rh_packet, then bytes: went over the run's loopback device, to the gate or from it */
  RH_LATE = 12,   /* by user space, before the RH_EXIT of the same thread and call: rh_head, then RH_TEXT that
                     was copied from the process long after */
  RH_UNIX = 13,   /* rh_unix: a local socket was given an address */
  RH_MODULE = 14, /* rh_module: the kernel would have loaded a module for the caller, and was refused */
  RH_IMAGE = 15,  /* by user space, after the RH_EXEC of the same thread: rh_image, of a program that may be
                     gone  when the run ends */
};

/* Every record begins so and is a multiple of 8 bytes long. `size` is written last: 0 means not there yet. */
struct rh_head {
  __u32 size;
  __u8 kind;
  __u8 abi; /* 0 x86-64, 1 i386, 2 x32 */
  __u16 args;
  __u64 time_ns; /* CLOCK_MONOTONIC */
  __u32 tid;     /* as the host numbers it */
  __u32 nr;      /* of the system call */
};

struct rh_call {
  struct rh_head head;
  __s64 result;
  __u64 arg[6]; /* head.args of them are there */
};
#define RH_CALL_BYTES(args) (32u + 8u * (args))

enum rh_attachment_kind {
  RH_TEXT = 1,  /* a user string, without its NUL: hearsay */
  RH_BLOB = 2,  /* bytes of user memory: hearsay */
  RH_FILE = 3,  /* rh_file: what a descriptor stands for */
  RH_PATH = 4,  /* names from the leaf to the root, each ended by NUL, as the kernel has them */
  RH_CREDS = 5, /* rh_creds */
  RH_KTEXT = 6, /* a kernel string */
  RH_PEER = 7,  /* bytes of user memory: the socket address that the struct msghdr of argument `arg` names */
  RH_ENDS = 8, /* rh_ends: what an internet socket is connected to, and from where. Of a call that sends: by a
                  socket whose sending no hook judges (raw, packet, ...) */
  RH_NETLINK = 9, /* rh_netlink: how a message to the kernel by netlink begins */
  RH_WORDS = 10,  /* words of an argument list of user memory, each ended by NUL: hearsay */
};

#define RH_CUT 0x80   /* in `flags`: there was more */
#define RH_FAULT 0x40 /* in `flags`: the memory could not be read */

/* `arg` of an RH_FILE and of its RH_PATH: which object of the caller. */
#define RH_OPENED 0 /* what was opened or executed */
#define RH_CWD 1    /* its working directory */
#define RH_ROOT 2   /* its root directory */

/* Followed by `length` bytes and padding to a multiple of 8. */
struct rh_attachment {
  __u8 kind;
  __u8 arg; /* of the system call, from 0; for RH_KTEXT 0 file name, 1 interpreter */
  __u8 flags;
  __u8 pad;
  __u32 length;
};

#define RH_ON_OVERLAY 1u
#define RH_UPPER 2u

struct rh_file {
  __u64 ino; /* of the object itself: below an overlay the upper's or the lower's */
  __u64 ctime_ns;
  __u64 size;
  __u32 dev; /* kernel's encoding: major << 20 | minor */
  __u32 generation;
  __u32 mode;
  __u32 nlink;
  __u32 uid; /* host's numbering, before any id map of the mount */
  __u32 gid;
  __u32 flags; /* RH_ON_OVERLAY, RH_UPPER */
  __u32 rdev;
};

struct rh_ends {
  __u8 remote[16]; /* IPv4 as mapped into IPv6 */
  __u16 remote_port;
  __u16 local_port;
  __u16 protocol; /* of the socket: IPPROTO_TCP, ... */
  __u8 type;      /* SOCK_RAW, ...; 0: not recorded */
  __u8 family;    /* AF_INET, AF_INET6, AF_PACKET; 0: not recorded */
};

/* What is said of the message is hearsay. */
struct rh_netlink {
  __u32 protocol; /* of the socket: NETLINK_ROUTE, ... */
  __u32 read;     /* 0: it could not be, and what follows is not known */
  __u32 length;   /* of the first message; as in struct nlmsghdr, like what follows */
  __u16 type;
  __u16 flags;
  __u32 bytes; /* of the first buffer, where it lies */
  __u32 next;  /* length of the message that follows it in there; 0: none, or not known */
};

struct rh_creds {
  __u32 uid, euid, suid, fsuid;
  __u32 gid, egid, sgid, fsgid;
  __u64 effective; /* capabilities */
};

struct rh_fork {
  struct rh_head head; /* tid: of who forked */
  __u32 parent_tgid;   /* of the process that becomes its parent */
  __u32 child_tid;
  __u32 child_tgid; /* another than child_tid: a thread */
  __u32 inner_tid;  /* as the pid namespace of the run numbers it */
  __u64 start_ns;   /* CLOCK_BOOTTIME */
  __u64 flags;
  char comm[16];
};

struct rh_exec {
  struct rh_head head;
  __u32 tgid;
  __u32 old_tid; /* of the thread that called exec */
  __u32 arg_bytes;
  __u32 env_bytes;
  __u32 secure; /* setuid, setgid or file capabilities took effect */
  __u32 pad;
  char comm[16];
};

/* What was executed, read while it was being executed. */
struct rh_image {
  struct rh_head head;
  __u64 ino;
  __u64 ctime_ns;
  __u8 sha256[32];
};

struct rh_chunk {
  struct rh_head head; /* nr: offset in the argument list */
  __u32 length;
  __u32 flags; /* RH_FAULT; RH_REDACTED, by user space */
};
#define RH_REDACTED 0x20 /* secrets in it were overwritten with asterisks before it was kept */

struct rh_death {
  struct rh_head head;
  __u32 tgid;
  __s32 status; /* as waitpid gives it */
  __u32 last;   /* of its process */
  __u32 pad;
  __u64 user_ns; /* of the thread */
  __u64 system_ns;
  __u64 max_rss_bytes; /* of the process, where known */
};

/* `sender` of an rh_signal. */
#define RH_BY_CALLER 0 /* head.tid */
#define RH_BY_KERNEL \
  1 /* a timer, a terminal, a limit: the thread that it happened to interrupt is not at it */
#define RH_BY_OUTSIDER 2 /* a process of the host, which is no part of the run */
#define RH_BY_REHEARSE 3 /* one that is rehearse itself: said by user space */

struct rh_signal {
  struct rh_head head; /* nr: process id of the caller */
  __s32 signal;
  __s32 code;
  __u32 target_tid;
  __u32 target_tgid;
  __u32 result;
  __u16 inside; /* the target belongs to the run */
  __u16 sender;
};

struct rh_name {
  struct rh_head head;
  char comm[16];
};

struct rh_uring {
  struct rh_head head;
  __u32 opcode;
  __u32 flags;
};

#define RH_MODULE_NAME 64

/* As the kernel would have handed it to modprobe: "fs-xfs", "net-pf-16-proto-4". */
struct rh_module {
  struct rh_head head;
  char name[RH_MODULE_NAME]; /* ends with NUL */
};

enum rh_socket_what {
  RH_CONNECT = 1,
  RH_SEND = 2,   /* a datagram to an address of its own */
  RH_BIND = 3,   /* to the address that the call names */
  RH_BOUND = 4,  /* it worked: the socket's own address and port */
  RH_LISTEN = 5, /* the same of a stream socket that begins to listen; port 0: it gets one now */
};

/* What becomes of traffic to an address. */
enum rh_verdict {
  RH_NATURAL = 0, /* the run's own network decides: loopback, where something listens or nothing does */
  RH_DENY = 1,    /* the call fails at once */
  RH_DROP = 2,    /* nothing answers */
  RH_GATE = 3,    /* the gate takes it: mocked, passed or answered */
};

struct rh_socket {
  struct rh_head head;
  __u8 what;
  __u8 verdict;
  __u8 protocol; /* of the socket: IPPROTO_TCP, IPPROTO_UDP, ... */
  __u8 listened; /* loopback: something inside has this address */
  __u16 port;
  __u16 error;  /* of RH_DENY */
  __u16 rule;   /* that decided, from 1; 0: the default */
  __u16 source; /* port of the socket, 0: it has none yet */
  __u16 pad[2];
  __u8 address[16]; /* IPv4 as mapped into IPv6 */
};

#define RH_UNIX_MAX 112u

/* Linux 6.7 and later; the kernel's copy of the address. */
struct rh_unix {
  struct rh_head head;
  __u8 what; /* RH_CONNECT, RH_SEND */
  __u8 pad;
  __u16 length;
  __u32 pad2;
  __u8 address[RH_UNIX_MAX]; /* struct sockaddr_un */
};

enum rh_way {
  RH_INSIDE = 0, /* between the run's own sockets: not recorded */
  RH_TO_GATE = 1,
  RH_FROM_GATE = 2,
  RH_DROPPED = 3, /* made by hand, or to where nothing answers */
};

/* A packet, from its IP head on, in pieces: those of one packet have one number and follow each other on
 * their CPU. Who sent it is not known here; `tid` is 0. */
struct rh_packet {
  struct rh_head head;
  __u64 number; /* within the run, from 0 */
  __u32 length; /* of the whole packet */
  __u32 offset; /* of this piece */
  __u32 bytes;  /* of it, that follow; padded to a multiple of 8 */
  __u8 way;
  __u8 pad[3];
};
#define RH_PIECE 0x7f00u /* bytes of one, at most */
#define RH_PIECES 3u     /* what is beyond them is not kept */

/* What the packet program is told by the class it is attached with: whose packets they are. The generation,
 * 1 to 255, tells a run from earlier ones in the same slot, of which a packet may still be on its way. */
#define RH_CLASS(generation, slot) ((generation) << 8 | (slot))

/* Where the gate listens in the run's network namespace, TCP and UDP: addresses that no machine has, the
 * dummy of RFC 7600 (192.0.0.8) and one of those that RFC 6666 discards (100::8, its first word and its
 * last). What the action connects to there is judged as any other. */
#define RH_SINK_PORT 65109u
#define RH_SINK_V4 0xc0000008u
#define RH_SINK_V6_FIRST 0x01000000u
#define RH_SINK_V6_LAST 8u

/* What a socket's packets are marked with (SO_MARK) by the hook that has judged it. */
#define RH_MARK_GATE 0x52480001u
#define RH_MARK_DROP 0x52480002u
/* And the gate's own packets, whatever addresses they have: they are for the run's sockets. */
#define RH_MARK_ANSWER 0x52480003u
/* A passed connection's first packet waits until the gate knows whether there is anybody to connect to: it
 * comes to the gate as a packet of this protocol (RFC 3692: for experiments), and goes in when the gate sends
 * it again with the other mark. */
#define RH_MARK_HELD 0x52480004u
#define RH_MARK_LET_IN 0x52480005u
#define RH_HELD_PROTOCOL 253

/* Synthetic addresses stand for names: 198.18.0.0/15 and 2001:2::/48, with the name's number in the last
 * bits. */
#define RH_NAMES 131072u
#define RH_RULES 128u
#define RH_NAME_RULES 64u
#define RH_PLACES 128u
#define RH_OWN 64u
#define RH_NAMED 1024u

struct rh_rule {
  __u8 address[16]; /* of `prefix` bits, IPv4 as mapped into IPv6; not looked at if `name` is set */
  __u8 prefix;      /* 0..128 */
  __u8 protocol;    /* 0: any */
  __u8 verdict;
  __u8 name; /* from 1: it is for names whose class has this bit (less one); 0: for addresses */
  __u16 first_port;
  __u16 last_port;
  __u16 error;
  __u16 kinds; /* of places that it is for, a bit each; all bits: any; not looked at if `name` is set */
  __u16 held;  /* of RH_GATE: TCP's first packet waits (RH_MARK_HELD) */
  __u16 pad;   /* what comes behind, and the next, can be read by words */
};

/* What kind of place the addresses of a block are, as far as rules tell them apart. */
struct rh_place {
  __u8 address[16];
  __u8 prefix;
  __u8 kind; /* number of the bit */
  __u8 pad[6];
};

/* An address that a name was answered with and that is not made up for it. */
struct rh_named {
  __u8 address[16];
  __u64 names; /* as of a class */
};

/* The rules of a run, the first that fits decides. Written by user space while the kernel reads. */
struct rh_gate {
  __u32 count;
  __u16 error;   /* of what no rule is for */
  __u16 verdict; /* of that: RH_DENY or RH_DROP */
  __u64 on;      /* 0: there is no gate, sockets are only recorded */
  /* Packets are recorded while there is room, and counted when there is none. */
  __s64 packet_room; /* bytes */
  __u64 packets;     /* recorded, or begun to be */
  __u64 packets_left_out;
  __u64 bytes_left_out; /* of them, and of recorded packets what is not kept */
  __u32 generation;     /* RH_CLASS; 0: none is recorded any more */
  __u32 recording;      /* programs that are at it */
  /* The run's own addresses besides loopback: those of a mirrored host. */
  __u32 own_count;
  __u32 own_pad;
  __u8 own[RH_OWN][16];
  struct rh_rule rules[RH_RULES];
  __u32 place_count;
  __u32 pad;
  struct rh_place places[RH_PLACES]; /* the first that an address is in; none: kind 0 */
  __u64 classes[256];                /* of names: which of the rules for names fit */
  __u8 class_of[RH_NAMES];
  __u8 taken[65536]; /* by port: the gate has taken a connection to it */
  __u32 named_count;
  __u32 named_pad;
  struct rh_named named[RH_NAMED];
};

/* What is recorded of a system call; one a number. */
#define RH_AT_ENTRY 1u   /* write RH_ENTER too */
#define RH_RETURNS_FD 2u /* attach what the returned descriptor stands for */
#define RH_HAS_CREDS 4u  /* attach the thread's credentials after it */
#define RH_MOVES 8u      /* attach the thread's working and root directory after it */
#define RH_MESSAGE 16u   /* the first of `memory` is a struct msghdr, or begins with one: attach RH_PEER */
#define RH_CONNECTS 32u  /* attach where the socket that it names is connected to, if it worked or goes on */
#define RH_SENDS 64u     /* attach RH_NETLINK, if the socket that it names is one of netlink */
#define RH_NONE 0xff

/* `direction` of an rh_memory. What goes in is read when the call begins, where that is recorded, else when
 * it returns; also then if it has failed, since a call that the filter refuses never begins. */
#define RH_IN 1u
#define RH_OUT 2u

/* `length` of an rh_memory, apart from the number of an argument. RH_NESTED: a pointer and a number are
 * there, RH_NESTED_HEAD bytes, and RH_NESTED_BYTES where the pointer leads follow them. */
#define RH_FIXED 0xff
#define RH_BY_RESULT 0xfe
#define RH_NESTED 0xfd
#define RH_NESTED_HEAD 16u
#define RH_NESTED_BYTES 8u

#define RH_MEMORIES \
  10u /* of a call, at most: three sets, a time and a mask, and what has come of the first four */

/* Bytes of user memory that are attached to a call. */
struct rh_memory {
  __u8 arg; /* that points to them, or RH_NONE: no more */
  __u8 direction;
  __u8 length; /* argument that says how many, RH_NESTED, RH_BY_RESULT or RH_FIXED: `most` */
  __u8
      unit; /* bytes that one of that number stands for; 0: the argument points to a 32-bit number of bytes */
  __u16 most;
  __u16 pad;
};

struct rh_call_plan {
  __u8 args;
  __u8 flags;
  __u8 text[4]; /* arguments that are user strings; RH_NONE: no more */
  __u8 words;   /* argument that is an argument list, attached if the call fails; RH_NONE: there is none */
  __u8 pad;
  struct rh_memory memory[RH_MEMORIES];
};

struct rh_config {
  __u32 ring_bytes; /* of a ring's data without the slack: less on hosts with many CPUs */
  __u32 pad;
  struct rh_call_plan calls[RH_CALLS];
};

/* One CPU's ring of one run. `head`, `tail` count bytes since the start. */
struct rh_ring {
  __u64 head;     /* producer */
  __u64 lost;     /* records for which there was no room */
  __u64 records;  /* written */
  __u64 syscalls; /* that returned, counted before anything else */
  __u64 rung;     /* the governor was called and has not answered */
  __u64 used;     /* by a run that has not read it to the end: of user space */
  __u64 brakes;   /* calls that were held up since nearly no room was left */
  __u64 braked_ns;
  __u64 tail;        /* consumer */
  __u64 mask;        /* size - 1 */
  __u64 mark;        /* fill at which the governor is called */
  __u64 given_up_at; /* tail + 1 when holding up a call brought nothing */
  __u64 pad2[500];
  __u8 data[RH_RING_BYTES + RH_RING_SLACK]; /* config.ring_bytes and the slack of it are there */
};

#endif
