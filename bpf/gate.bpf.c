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

#define AF_INET 2
#define AF_INET6 10
#define SOL_SOCKET 1
#define SO_MARK 36
#define DNS_PORT 53

static __always_inline struct rh_gate* gate_of(struct run* run) {
  void* map = bpf_map_lookup_elem(&gates, &run->slot);
  u32 zero = 0;
  return map ? bpf_map_lookup_elem(map, &zero) : 0;
}

/// Whether something inside listens there.
static __always_inline bool_t is_listened(struct bpf_sock_addr* ctx, const struct question* asked) {
  struct bpf_sock_tuple tuple = {};
  u32 size;
  if (is_v4(asked->address) || is_unspecified(asked->address)) {
    tuple.ipv4.daddr = is_unspecified(asked->address) ? bpf_htonl(0x7f000001) : asked->address[3];
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

/// 1: the call goes on.
static __always_inline int judge(struct bpf_sock_addr* ctx, u8 what, struct question* asked) {
  struct run run = {};
  if (!current_run(&run)) return 1;
  struct rh_gate* gate = gate_of(&run);
  if (!gate || !gate->on) return 1;
  asked->gate = gate;
  asked->port = bpf_ntohs((u16)ctx->user_port);
  asked->protocol = (u8)ctx->protocol;
  struct rh_socket told = {.what = what, .verdict = RH_NATURAL};
  if (what != RH_BIND) {
    bool_t here = is_loopback(asked->address) || is_unspecified(asked->address);
    find_name(asked);
    find_kind(asked);
    bpf_loop(RH_RULES, try_rule, asked, 0);
    told.rule = (u16)asked->rule;
    told.listened = here && is_listened(ctx, asked);
    if (told.listened) {
      told.rule = 0;
    } else if (asked->rule != 0) {
      struct rh_rule* rule = &gate->rules[(asked->rule - 1) & (RH_RULES - 1)];
      told.verdict = rule->verdict;
      told.error = rule->error;
    } else if (asked->port == DNS_PORT) {
      told.verdict = RH_GATE;
    } else if (!here) {
      told.verdict = (u8)gate->verdict;
      told.error = gate->error;
    }
    if (what == RH_CONNECT && (told.verdict == RH_GATE || told.verdict == RH_DROP)) {
      u32 mark = told.verdict == RH_GATE ? RH_MARK_GATE : RH_MARK_DROP;
      bpf_setsockopt(ctx, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
    }
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
    record->pad[0] = record->pad[1] = record->pad[2] = 0;
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

// ---- the loopback device of the run ----

/// Gives the packet to the gate's socket for its protocol.
static __always_inline int to_gate(struct __sk_buff* packet, bool_t v4, u8 protocol, u16 source_port) {
  struct bpf_sock_tuple tuple = {};
  u32 size;
  if (v4) {
    tuple.ipv4.saddr = tuple.ipv4.daddr = bpf_htonl(0x7f000001);
    tuple.ipv4.dport = bpf_htons(RH_SINK_PORT);
    size = sizeof tuple.ipv4;
  } else {
    tuple.ipv6.saddr[3] = tuple.ipv6.daddr[3] = bpf_htonl(1);
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

/// A datagram to a name server on loopback that nobody inside is.
static __always_inline bool_t is_listened_udp(struct __sk_buff* packet, struct bpf_sock_tuple* tuple,
                                              u32 size) {
  struct bpf_sock* sock = bpf_sk_lookup_udp(packet, tuple, size, BPF_F_CURRENT_NETNS, 0);
  if (!sock) return 0;
  bpf_sk_release(sock);
  return 1;
}

SEC("tc")
int on_loopback(struct __sk_buff* packet) {
  void* data = (void*)(long)packet->data;
  void* end = (void*)(long)packet->data_end;
  struct bpf_sock_tuple tuple = {};
  bool_t v4 = packet->protocol == bpf_htons(ETH_P_IP);
  bool_t here;
  u8 protocol;
  void* transport;
  u32 size;
  if (v4) {
    struct iphdr* ip = data + ETH_HLEN;
    if ((void*)(ip + 1) > end || ip->ihl < 5) return TC_ACT_SHOT;
    protocol = ip->protocol;
    if (ip->frag_off & bpf_htons(0x1fff)) return TC_ACT_OK; /* a later fragment goes where the first did */
    here = (ip->daddr & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
    tuple.ipv4.saddr = ip->saddr;
    tuple.ipv4.daddr = ip->daddr;
    transport = (void*)ip + ip->ihl * 4;
    size = sizeof tuple.ipv4;
  } else if (packet->protocol == bpf_htons(ETH_P_IPV6)) {
    struct ipv6hdr* ip = data + ETH_HLEN;
    if ((void*)(ip + 1) > end) return TC_ACT_SHOT;
    protocol = ip->nexthdr;
    u32* to = (u32*)&ip->daddr;
    here = to[0] == 0 && to[1] == 0 && to[2] == 0 && to[3] == bpf_htonl(1);
    __builtin_memcpy(tuple.ipv6.saddr, &ip->saddr, 16);
    __builtin_memcpy(tuple.ipv6.daddr, &ip->daddr, 16);
    transport = ip + 1;
    size = sizeof tuple.ipv6;
  } else {
    return TC_ACT_OK;
  }
  if (packet->mark == RH_MARK_DROP) return TC_ACT_SHOT;
  if (packet->mark == RH_MARK_ANSWER) return TC_ACT_OK;
  if (protocol == IPPROTO_TCP) {
    struct tcphdr* tcp = transport;
    if ((void*)(tcp + 1) > end) return TC_ACT_SHOT;
    if (!tcp->syn || tcp->ack) return TC_ACT_OK; /* of a connection that stands, or nobody's */
    if (packet->mark == RH_MARK_GATE) return to_gate(packet, v4, protocol, tcp->source);
    return here ? TC_ACT_OK : TC_ACT_SHOT;
  }
  if (protocol == IPPROTO_UDP) {
    struct udphdr* udp = transport;
    if ((void*)(udp + 1) > end) return TC_ACT_SHOT;
    u16 to = bpf_ntohs(udp->dest);
    if (here) {
      if (packet->mark != RH_MARK_GATE && to != DNS_PORT) return TC_ACT_OK;
      if (v4) {
        tuple.ipv4.sport = udp->source;
        tuple.ipv4.dport = udp->dest;
      } else {
        tuple.ipv6.sport = udp->source;
        tuple.ipv6.dport = udp->dest;
      }
      if (is_listened_udp(packet, &tuple, size)) return TC_ACT_OK;
    }
    return to_gate(packet, v4, protocol, udp->source);
  }
  return here ? TC_ACT_OK : TC_ACT_SHOT;
}
