/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How the rules of a run are applied to an address: by the hooks, and by the test that compares them with
 * what the gate's worker decides. Whoever includes it has the types of kernel.h, bpf_htonl, bpf_ntohl and
 * bpf_loop. */
#ifndef REHEARSE_BPF_GATE_RULES_H
#define REHEARSE_BPF_GATE_RULES_H

#include "events.h"

struct question {
  u32 address[4]; /* network byte order, IPv4 mapped */
  u16 port;
  u8 protocol;
  u8 synthetic; /* the address was made up for a name, or could have been */
  u64 names;    /* the rules for names that fit it, a bit each */
  struct rh_gate* gate;
  u32 kind; /* of place */
  u32 rule; /* the answer: number from 1 */
  u32 own;  /* the address is one of the run's own */
};

static __always_inline bool_t is_v4(const u32* address) {
  return address[0] == 0 && address[1] == 0 && address[2] == bpf_htonl(0xffff);
}

static __always_inline bool_t is_loopback(const u32* address) {
  if (is_v4(address)) return (address[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
  return address[0] == 0 && address[1] == 0 && address[2] == 0 && address[3] == bpf_htonl(1);
}

/// Connecting to the unspecified address means this host.
static __always_inline bool_t is_unspecified(const u32* address) {
  return address[0] == 0 && address[1] == 0 && address[3] == 0 &&
         (address[2] == 0 || address[2] == bpf_htonl(0xffff));
}

static long try_own(u32 index, struct question* asked) {
  struct rh_gate* gate = asked->gate;
  if (index >= gate->own_count || index >= RH_OWN) return 1;
  const u32* own = (const u32*)gate->own[index & (RH_OWN - 1)];
  for (int i = 0; i < 4; ++i)
    if (own[i] != asked->address[i]) return 0;
  asked->own = 1;
  return 1;
}

/// Where what the run itself listens on is reached.
static __always_inline bool_t is_here(struct question* asked) {
  if (is_loopback(asked->address) || is_unspecified(asked->address)) return 1;
  if (asked->gate->own_count != 0) bpf_loop(RH_OWN, try_own, asked, 0);
  return (bool_t)asked->own;
}

static long try_named(u32 index, struct question* asked) {
  struct rh_gate* gate = asked->gate;
  if (index >= gate->named_count || index >= RH_NAMED) return 1;
  struct rh_named* named = &gate->named[index & (RH_NAMED - 1)];
  for (int i = 0; i < 4; ++i)
    if (((const u32*)named->address)[i] != asked->address[i]) return 0;
  asked->names = named->names;
  return 1;
}

static __always_inline void find_name(struct question* asked) {
  const u32* address = asked->address;
  bool_t v6 = address[0] == bpf_htonl(0x20010002) && (address[1] & bpf_htonl(0xffff0000)) == 0;
  bool_t numbered = (address[3] & bpf_htonl(0xfffe0000)) == bpf_htonl(0xc6120000);
  if (!v6 && !(is_v4(address) && numbered)) {
    if (asked->gate->named_count != 0) bpf_loop(RH_NAMED, try_named, asked, 0);
    return;
  }
  asked->synthetic = 1;
  /* Of the larger block, few addresses are ever handed out. */
  if (v6 && (!numbered || address[1] != 0 || address[2] != 0)) return;
  u32 number = bpf_ntohl(address[3]);
  asm volatile("" : "+r"(number)); /* the mask comes after the swap: before Linux 6.4 that forgets bounds */
  asked->names = asked->gate->classes[asked->gate->class_of[number & (RH_NAMES - 1)]];
}

/// IPv6 blocks, however large, are not for IPv4.
static __always_inline bool_t in_prefix(const u32* address, const u32* prefix, u32 bits) {
  if (is_v4(address) != is_v4(prefix)) return 0;
#ifdef __bpf__
#pragma unroll
#endif
  for (u32 i = 0; i < 4; ++i) {
    if (bits <= 32 * i) return 1;
    u32 here = bits - 32 * i;
    u32 mask = here >= 32 ? 0xffffffffu : ~(0xffffffffu >> (here & 31));
    if ((address[i] ^ prefix[i]) & bpf_htonl(mask)) return 0;
  }
  return 1;
}

static long try_place(u32 index, struct question* asked) {
  struct rh_gate* gate = asked->gate;
  if (index >= gate->place_count || index >= RH_PLACES) return 1;
  struct rh_place* place = &gate->places[index & (RH_PLACES - 1)];
  if (!in_prefix(asked->address, (const u32*)place->address, place->prefix)) return 0;
  asked->kind = place->kind & 15;
  return 1;
}

static __always_inline void find_kind(struct question* asked) {
  /* Only rules that tell places apart need it. */
  if (!asked->synthetic && asked->gate->place_count != 0) bpf_loop(RH_PLACES, try_place, asked, 0);
}

static long try_rule(u32 index, struct question* asked) {
  struct rh_gate* gate = asked->gate;
  if (index >= gate->count || index >= RH_RULES) return 1;
  struct rh_rule* rule = &gate->rules[index & (RH_RULES - 1)];
  if (rule->protocol != 0 && rule->protocol != asked->protocol) return 0;
  if (asked->port < rule->first_port || asked->port > rule->last_port) return 0;
  if (rule->name != 0) {
    if (!(asked->names >> ((rule->name - 1) & 63) & 1)) return 0;
  } else if (asked->synthetic) {
    /* The address is made up: only a rule for every address is for it. */
    if (rule->prefix != 0) return 0;
  } else {
    if (rule->prefix != 0 && !in_prefix(asked->address, (const u32*)rule->address, rule->prefix)) return 0;
    if (!(rule->kinds >> (asked->kind & 15) & 1)) return 0;
  }
  asked->rule = index + 1;
  return 1;
}

static __always_inline void find_rule(struct question* asked) {
  find_name(asked);
  find_kind(asked);
  bpf_loop(RH_RULES, try_rule, asked, 0);
}

#endif
