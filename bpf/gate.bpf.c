// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// The network gate: what becomes of an address that a socket of a run is given (hooks of our own parent
// control group), and the way of what the gate takes to its sockets (the run's loopback device). Nothing here
// keeps traffic in: the run's network namespace has no way out.
#include "ring.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>

#include "gate_rules.h"

#define SOL_SOCKET 1
#define SO_REUSEADDR 2
#define SO_BINDTODEVICE 25
#define SO_MARK 36
#define DNS_PORT 53
#define LOOPBACK_INDEX 1
#define TCP_LISTEN 10

static __always_inline struct rh_gate* gate_of(u32 slot) {
  void* map = bpf_map_lookup_elem(&gates, &slot);
  u32 zero = 0;
  return map ? bpf_map_lookup_elem(map, &zero) : 0;
}

/// Of a port: what says that the gate has taken a connection to it. The verifier of Linux 6.1 believes
/// nothing of a number whose bytes were swapped.
static __always_inline u8* taken_of(struct rh_gate* gate, u64 port) {
  asm volatile("%0 &= 0xffff" : "+r"(port));
  return &gate->taken[port];
}

/// Whether something inside listens there.
static __always_inline bool_t is_listened(struct bpf_sock_addr* ctx, const struct question* asked) {
  struct bpf_sock_tuple tuple = {};
  u32 size;
  if (is_v4(asked->address)) {
    tuple.ipv4.daddr = asked->address[3];
    tuple.ipv4.dport = bpf_htons(asked->port);
    size = sizeof tuple.ipv4;
  } else {
    __builtin_memcpy(tuple.ipv6.daddr, asked->address, 16);
    tuple.ipv6.dport = bpf_htons(asked->port);
    size = sizeof tuple.ipv6;
  }
  struct bpf_sock* sock = asked->protocol == IPPROTO_UDP
                              ? bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0)
                              : bpf_sk_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
  if (!sock) return 0;
  bpf_sk_release(sock);
  return 1;
}

/// What the kernel makes of it when it connects or sends.
static __always_inline void mean_loopback(struct question* asked) {
  if (!is_unspecified(asked->address)) return;
  asked->address[3] = is_v4(asked->address) ? bpf_htonl(0x7f000001) : bpf_htonl(1);
}

/// 1: the call goes on.
static __always_inline int judge(struct bpf_sock_addr* ctx, u8 what, struct question* asked) {
  struct run run = {};
  if (!current_run(&run)) return 1;
  struct rh_gate* gate = gate_of(run.slot);
  if (!gate || !gate->on) return 1;
  asked->gate = gate;
  asked->port = bpf_ntohs((u16)ctx->user_port);
  asked->protocol = (u8)ctx->protocol;
  struct rh_socket told = {.what = what, .verdict = RH_NATURAL};
  bool_t held = 0;
  if (what != RH_BIND) {
    mean_loopback(asked);
    bool_t here = is_here(asked);
    find_rule(asked);
    told.rule = (u16)asked->rule;
    told.listened = here && is_listened(ctx, asked);
    if (told.listened) {
      told.rule = 0;
    } else if (asked->rule != 0) {
      struct rh_rule* rule = &gate->rules[(asked->rule - 1) & (RH_RULES - 1)];
      told.verdict = rule->verdict;
      told.error = rule->error;
      held = rule->held;
    } else if (asked->port == DNS_PORT) {
      told.verdict = RH_GATE;
    } else if (!here) {
      told.verdict = (u8)gate->verdict;
      told.error = gate->error;
    }
    if (what == RH_CONNECT && (told.verdict == RH_GATE || told.verdict == RH_DROP)) {
      u32 mark = told.verdict != RH_GATE ? RH_MARK_DROP : held ? RH_MARK_HELD : RH_MARK_GATE;
      bpf_setsockopt(ctx, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
      /* A mirrored device sends nothing: what was bound to it goes where all addresses are. */
      if (ctx->sk && ctx->sk->bound_dev_if > LOOPBACK_INDEX)
        bpf_setsockopt(ctx, SOL_SOCKET, SO_BINDTODEVICE, "", 1);
    }
  }
  /* What is said inside comes by loopback, and is_listened() finds no socket of one device: a server is one
   * of all devices, so that it is heard and known to be there. */
  if (what == RH_BIND && ctx->sk && ctx->sk->bound_dev_if != 0)
    bpf_setsockopt(ctx, SOL_SOCKET, SO_BINDTODEVICE, "", 1);
  /* The gate's end of a connection has its port, which on the host is another machine's and in nobody's way:
   * a server inside may have it too. */
  if (what == RH_BIND && asked->protocol == IPPROTO_TCP && *taken_of(gate, asked->port)) {
    u32 on = 1;
    bpf_setsockopt(ctx, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  struct rh_socket* record = reserve(&run, sizeof told);
  if (record) {
    fill_head(&record->head, RH_SOCKET);
    record->what = told.what;
    record->verdict = told.verdict;
    record->protocol = asked->protocol;
    record->listened = told.listened;
    record->port = asked->port;
    record->error = told.error;
    record->rule = told.rule;
    record->source = ctx->sk ? (u16)ctx->sk->src_port : 0;
    record->pad[0] = record->pad[1] = 0;
    __builtin_memcpy(record->address, asked->address, 16);
    commit(&run, &record->head, sizeof *record);
  }
  if (told.verdict != RH_DENY) return 1;
  bpf_set_retval(-(int)told.error);
  return 0;
}

static __always_inline int judge4(struct bpf_sock_addr* ctx, u8 what) {
  struct question asked = {.address = {0, 0, bpf_htonl(0xffff), ctx->user_ip4}};
  return judge(ctx, what, &asked);
}

static __always_inline int judge6(struct bpf_sock_addr* ctx, u8 what) {
  struct question asked = {
      .address = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]}};
  return judge(ctx, what, &asked);
}

SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr* ctx) {
  return judge4(ctx, RH_CONNECT);
}
SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr* ctx) {
  return judge6(ctx, RH_CONNECT);
}
SEC("cgroup/sendmsg4")
int on_send4(struct bpf_sock_addr* ctx) {
  return judge4(ctx, RH_SEND);
}
SEC("cgroup/sendmsg6")
int on_send6(struct bpf_sock_addr* ctx) {
  return judge6(ctx, RH_SEND);
}
SEC("cgroup/bind4")
int on_bind4(struct bpf_sock_addr* ctx) {
  return judge4(ctx, RH_BIND);
}
SEC("cgroup/bind6")
int on_bind6(struct bpf_sock_addr* ctx) {
  return judge6(ctx, RH_BIND);
}

/// Where a socket is, by its own account: `address` as in rh_socket.
static __always_inline void tell_place(u8 what, u8 protocol, u16 port, const u32* address) {
  struct run run = {};
  if (!current_run(&run)) return;
  struct rh_socket* record = reserve(&run, sizeof *record);
  if (!record) return;
  fill_head(&record->head, RH_SOCKET);
  record->what = what;
  record->verdict = RH_NATURAL;
  record->protocol = protocol;
  record->listened = 0;
  record->port = port;
  record->error = 0;
  record->rule = 0;
  record->source = port;
  record->pad[0] = record->pad[1] = 0;
  __builtin_memcpy(record->address, address, 16);
  commit(&run, &record->head, sizeof *record);
}

/// What came of bind(2).
SEC("cgroup/post_bind4")
int on_bound4(struct bpf_sock* sock) {
  const u32 address[4] = {0, 0, bpf_htonl(0xffff), sock->src_ip4};
  tell_place(RH_BOUND, (u8)sock->protocol, (u16)sock->src_port, address);
  return 1;
}
SEC("cgroup/post_bind6")
int on_bound6(struct bpf_sock* sock) {
  const u32 address[4] = {sock->src_ip6[0], sock->src_ip6[1], sock->src_ip6[2], sock->src_ip6[3]};
  tell_place(RH_BOUND, (u8)sock->protocol, (u16)sock->src_port, address);
  return 1;
}

/// A stream socket begins to listen: the socket itself, whatever its descriptor stands for by the time the
/// call returns. Only then is it known that it worked.
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_listen, struct sock* sock, int before, int now) {
  if (now != TCP_LISTEN) return 0;
  u32 address[4] = {0, 0, bpf_htonl(0xffff), 0};
  if (BPF_CORE_READ(sock, __sk_common.skc_family) == AF_INET6)
    bpf_core_read(address, 16, &sock->__sk_common.skc_v6_rcv_saddr);
  else
    address[3] = BPF_CORE_READ(sock, __sk_common.skc_rcv_saddr);
  tell_place(RH_LISTEN, (u8)BPF_CORE_READ(sock, sk_protocol), BPF_CORE_READ(sock, __sk_common.skc_num),
             address);
  return 0;
}

// ---- local sockets: recorded here, decided by what there is to connect to ----

extern void* bpf_cast_to_kern_ctx(void* ctx) __ksym __weak;

static __always_inline int record_unix(struct bpf_sock_addr* ctx, u8 what) {
  struct run run = {};
  if (!current_run(&run)) return 1;
  struct bpf_sock_addr_kern* call = bpf_cast_to_kern_ctx(ctx);
  struct sockaddr* address = call->uaddr;
  u32 length = call->uaddrlen;
  if (length > RH_UNIX_MAX) length = RH_UNIX_MAX;
  struct rh_unix* record = reserve(&run, sizeof *record);
  if (!record) return 1;
  fill_head(&record->head, RH_UNIX);
  record->what = what;
  record->pad = 0;
  record->pad2 = 0;
  record->length = bpf_probe_read_kernel(record->address, length, address) == 0 ? (u16)length : 0;
  commit(&run, &record->head, sizeof *record);
  return 1;
}

/* The section gives the kind of program; that it is for local sockets is said when it is loaded, on kernels
 * that have the hook. */
SEC("?cgroup/connect4")
int on_unix(struct bpf_sock_addr* ctx) {
  return record_unix(ctx, RH_CONNECT);
}
SEC("?cgroup/sendmsg4")
int on_unix_send(struct bpf_sock_addr* ctx) {
  return record_unix(ctx, RH_SEND);
}

// ---- the loopback device of the run ----

/// The gate of the run whose namespace this is, by the class that the program is attached with. None once the
/// run has ended.
static __always_inline struct rh_gate* gate_of_packet(struct __sk_buff* packet) {
  u32 told = packet->tc_classid;
  u32 generation = told >> 8;
  struct rh_gate* gate = gate_of(told & 0xff);
  return gate && generation != 0 && *(volatile u32*)&gate->generation == generation ? gate : 0;
}

static __always_inline bool_t is_local(struct __sk_buff* packet, struct question* asked) {
  asked->gate = gate_of_packet(packet);
  return asked->gate ? is_here(asked) : is_loopback(asked->address);
}

/// What the rules say of a datagram to one of the run's own addresses.
static __always_inline u8 verdict_of(struct question* asked) {
  if (!asked->gate) return RH_NATURAL;
  find_rule(asked);
  return asked->rule == 0 ? RH_NATURAL : asked->gate->rules[(asked->rule - 1) & (RH_RULES - 1)].verdict;
}

/// Nobody has asked the gate about it: within the run it goes on, and nowhere else.
static __always_inline int natural(struct __sk_buff* packet, struct question* asked, u8* way) {
  bool_t here = is_local(packet, asked);
  *way = here ? RH_INSIDE : RH_DROPPED;
  return here ? TC_ACT_OK : TC_ACT_SHOT;
}

/// As reserve(), but a packet is left out where a system call would be lost. This may have interrupted a
/// program that has found room and not yet taken it: as much is left free.
static __always_inline struct rh_packet* reserve_piece(struct run* run, u32 size) {
  struct rh_ring* ring = run->ring;
  u64 used = ring->head + size - *(volatile u64*)&ring->tail;
  if (used > ring->mark) call_governor(run);
  if (used + RH_RECORD_MAX + 4096 > ring->mask + 1) return 0;
  u64 at = __sync_fetch_and_add(&ring->head, size) & ring->mask & (config.ring_bytes - 1);
  return (struct rh_packet*)(ring->data + at);
}

static __always_inline bool_t keep_piece(struct __sk_buff* packet, struct run* run, struct rh_packet* told) {
  u32 size = told->length - told->offset;
  if (size > RH_PIECE) size = RH_PIECE;
  u32 last = size - 1; /* so that the verifier of Linux 6.1 sees both bounds */
  asm volatile("" : "+r"(last));
  if (last >= RH_PIECE) return 0;
  size = last + 1;
  u32 whole = (u32)sizeof *told + ((size + 7) & ~7u);
  struct rh_packet* record = reserve_piece(run, whole);
  if (!record) return 0;
  /* Not by fill_head(): before Linux 6.10 these programs may not ask who runs, who need not be the sender. */
  record->head.kind = RH_PACKET;
  record->head.abi = 0;
  record->head.args = 0;
  record->head.time_ns = told->head.time_ns;
  record->head.tid = 0;
  record->head.nr = 0;
  record->number = told->number;
  record->length = told->length;
  record->offset = told->offset;
  record->way = told->way;
  record->pad[0] = record->pad[1] = record->pad[2] = 0;
  record->bytes = bpf_skb_load_bytes(packet, ETH_HLEN + told->offset, record + 1, size) == 0 ? size : 0;
  commit(run, &record->head, whole);
  told->offset += size;
  return 1;
}

static __noinline int keep_packet(struct __sk_buff* packet, u8 way) {
  struct rh_gate* gate = gate_of_packet(packet);
  struct run run = {.slot = packet->tc_classid & 0xff};
  void* map = bpf_map_lookup_elem(&rings, &run.slot);
  u32 cpu = bpf_get_smp_processor_id();
  if (!gate || !map || packet->len <= ETH_HLEN) return 0;
  run.ring = bpf_map_lookup_elem(map, &cpu);
  if (!run.ring) return 0;
  struct rh_packet told = {.way = way, .length = packet->len - ETH_HLEN};
  /* Whoever ends the run takes the generation away and then waits until nobody is at it. */
  __sync_fetch_and_add(&gate->recording, 1);
  if (gate_of_packet(packet) && *(volatile s64*)&gate->packet_room >= (s64)told.length) {
    __sync_fetch_and_add(&gate->packet_room, -(s64)told.length);
    told.number = __sync_fetch_and_add(&gate->packets, 1);
    told.head.time_ns = bpf_ktime_get_ns();
    for (u32 i = 0; i < RH_PIECES; ++i)
      if (!keep_piece(packet, &run, &told)) break;
  }
  if (told.offset == 0) __sync_fetch_and_add(&gate->packets_left_out, 1);
  if (told.offset != told.length)
    __sync_fetch_and_add(&gate->bytes_left_out, (u64)(told.length - told.offset));
  __sync_fetch_and_add(&gate->recording, -1);
  return 0;
}

/// Gives the packet to the gate's socket for its protocol.
static __always_inline int to_gate(struct __sk_buff* packet, bool_t v4, u8 protocol) {
  struct bpf_sock_tuple tuple = {};
  u32 size;
  if (v4) {
    tuple.ipv4.saddr = tuple.ipv4.daddr = bpf_htonl(RH_SINK_V4);
    tuple.ipv4.dport = bpf_htons(RH_SINK_PORT);
    size = sizeof tuple.ipv4;
  } else {
    tuple.ipv6.saddr[0] = tuple.ipv6.daddr[0] = bpf_htonl(RH_SINK_V6_FIRST);
    tuple.ipv6.saddr[3] = tuple.ipv6.daddr[3] = bpf_htonl(RH_SINK_V6_LAST);
    tuple.ipv6.dport = bpf_htons(RH_SINK_PORT);
    size = sizeof tuple.ipv6;
  }
  struct bpf_sock* sink = protocol == IPPROTO_UDP
                              ? bpf_sk_lookup_udp(packet, &tuple, size, BPF_F_CURRENT_NETNS, 0)
                              : bpf_skc_lookup_tcp(packet, &tuple, size, BPF_F_CURRENT_NETNS, 0);
  if (!sink) return TC_ACT_SHOT;
  long done = bpf_sk_assign(packet, sink, 0);
  bpf_sk_release(sink);
  return done == 0 ? TC_ACT_OK : TC_ACT_SHOT;
}

/// The same, of a TCP connection.
static __always_inline int take_connection(struct __sk_buff* packet, bool_t v4, u16 port) {
  struct rh_gate* gate = gate_of_packet(packet);
  if (gate) *taken_of(gate, port) = 1;
  return to_gate(packet, v4, IPPROTO_TCP);
}

/// A datagram to a name server on loopback that nobody inside is.
static __always_inline bool_t is_listened_udp(struct __sk_buff* packet, struct bpf_sock_tuple* tuple,
                                              u32 size) {
  struct bpf_sock* sock = bpf_sk_lookup_udp(packet, tuple, size, BPF_F_CURRENT_NETNS, 0);
  if (!sock) return 0;
  bpf_sk_release(sock);
  return 1;
}

/// What judge_packet() says of a first packet that is to wait.
#define RH_HOLD 100

/// Nobody but the gate's socket for it takes the packet as what it is now.
static __always_inline int hold(struct __sk_buff* packet) {
  u8 protocol = RH_HELD_PROTOCOL;
  if (packet->protocol != bpf_htons(ETH_P_IP)) {
    u32 next = ETH_HLEN + __builtin_offsetof(struct ipv6hdr, nexthdr);
    return bpf_skb_store_bytes(packet, next, &protocol, 1, 0) == 0 ? TC_ACT_OK : TC_ACT_SHOT;
  }
  u32 at = ETH_HLEN + __builtin_offsetof(struct iphdr, protocol);
  u32 sum = ETH_HLEN + __builtin_offsetof(struct iphdr, check);
  /* The sum is over words of two bytes: the protocol is the second of its own. */
  long done = bpf_l3_csum_replace(packet, sum, bpf_htons(IPPROTO_TCP), bpf_htons(RH_HELD_PROTOCOL), 2);
  if (done == 0) done = bpf_skb_store_bytes(packet, at, &protocol, 1, 0);
  return done == 0 ? TC_ACT_OK : TC_ACT_SHOT;
}

static __always_inline int judge_packet(struct __sk_buff* packet, struct question* asked, u8* way) {
  void* data = (void*)(long)packet->data;
  void* end = (void*)(long)packet->data_end;
  struct bpf_sock_tuple tuple = {};
  bool_t v4 = packet->protocol == bpf_htons(ETH_P_IP);
  u8 protocol;
  void* transport;
  u32 size;
  if (v4) {
    struct iphdr* ip = data + ETH_HLEN;
    if ((void*)(ip + 1) > end || ip->ihl < 5) return TC_ACT_SHOT;
    protocol = ip->protocol;
    if (ip->frag_off & bpf_htons(0x1fff)) return TC_ACT_OK; /* a later fragment goes where the first did */
    asked->address[2] = bpf_htonl(0xffff);
    asked->address[3] = ip->daddr;
    tuple.ipv4.saddr = ip->saddr;
    tuple.ipv4.daddr = ip->daddr;
    transport = (void*)ip + ip->ihl * 4;
    size = sizeof tuple.ipv4;
  } else if (packet->protocol == bpf_htons(ETH_P_IPV6)) {
    struct ipv6hdr* ip = data + ETH_HLEN;
    if ((void*)(ip + 1) > end) return TC_ACT_SHOT;
    protocol = ip->nexthdr;
    __builtin_memcpy(asked->address, &ip->daddr, 16);
    __builtin_memcpy(tuple.ipv6.saddr, &ip->saddr, 16);
    __builtin_memcpy(tuple.ipv6.daddr, &ip->daddr, 16);
    transport = ip + 1;
    size = sizeof tuple.ipv6;
  } else {
    return TC_ACT_OK;
  }
  *way = RH_DROPPED;
  if (packet->mark == RH_MARK_DROP) return TC_ACT_SHOT;
  *way = RH_FROM_GATE;
  if (packet->mark == RH_MARK_ANSWER) return TC_ACT_OK;
  bool_t marked = packet->mark == RH_MARK_GATE;
  if (protocol == IPPROTO_TCP) {
    struct tcphdr* tcp = transport;
    *way = RH_DROPPED;
    if ((void*)(tcp + 1) > end) return TC_ACT_SHOT;
    bool_t held = packet->mark == RH_MARK_HELD;
    *way = marked || held ? RH_TO_GATE : RH_INSIDE;
    if (!tcp->syn || tcp->ack) return TC_ACT_OK; /* of a connection that stands, or nobody's */
    if (held) return RH_HOLD;
    /* Of one that is let in the packet was recorded when it came. */
    if (marked || packet->mark == RH_MARK_LET_IN) return take_connection(packet, v4, bpf_ntohs(tcp->dest));
    return natural(packet, asked, way);
  }
  if (protocol == IPPROTO_UDP) {
    struct udphdr* udp = transport;
    *way = RH_DROPPED;
    if ((void*)(udp + 1) > end) return TC_ACT_SHOT;
    asked->protocol = IPPROTO_UDP;
    asked->port = bpf_ntohs(udp->dest);
    if (v4) {
      tuple.ipv4.sport = udp->source;
      tuple.ipv4.dport = udp->dest;
    } else {
      tuple.ipv6.sport = udp->source;
      tuple.ipv6.dport = udp->dest;
    }
    if (is_local(packet, asked)) {
      *way = RH_INSIDE;
      /* A mark comes too late for the datagram whose address it is for: the rules are asked again. */
      u8 verdict = marked || asked->port == DNS_PORT ? RH_GATE : verdict_of(asked);
      if (verdict == RH_NATURAL || is_listened_udp(packet, &tuple, size)) return TC_ACT_OK;
      *way = RH_DROPPED;
      if (verdict != RH_GATE) return TC_ACT_SHOT;
    }
    *way = RH_TO_GATE;
    return to_gate(packet, v4, protocol);
  }
  return natural(packet, asked, way);
}

SEC("tc")
int on_loopback(struct __sk_buff* packet) {
  struct question asked = {};
  u8 way = RH_INSIDE;
  int fate = judge_packet(packet, &asked, &way);
  /* Not asked behind the call of keep_packet(): Linux 6.1 then takes it to be another, always. */
  if (fate == RH_HOLD) {
    keep_packet(packet, way);
    return hold(packet);
  }
  if (way != RH_INSIDE) keep_packet(packet, way);
  return fate;
}
