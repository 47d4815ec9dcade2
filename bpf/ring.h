/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What all programs share: whose run it is, and room for a record in its ring. */
#ifndef REHEARSE_BPF_RING_H
#define REHEARSE_BPF_RING_H

#include <linux/bpf.h>

#include "kernel.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "events.h"

const volatile struct rh_config config = {.ring_bytes = RH_RING_BYTES};

/// Depths in the control group tree at which there are runs; 0 ends. All runs of one host lie at one depth,
/// those of a booted system inside it at another.
u32 levels[4] = {};

/// A run's rings, one a CPU, lie in a slot; slots are kept for the next run. Putting a map into a map waits
/// for a grace period, entering a run into `runs` does not.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, RH_SLOTS);
  __uint(key_size, sizeof(u32));
  __uint(value_size, sizeof(u32));
} rings SEC(".maps");

/// Of each slot, what wakes its governor.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, RH_SLOTS);
  __uint(key_size, sizeof(u32));
  __uint(value_size, sizeof(u32));
} bells SEC(".maps");

/// Of each slot, the rules of its gate.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, RH_SLOTS);
  __uint(key_size, sizeof(u32));
  __uint(value_size, sizeof(u32));
} gates SEC(".maps");

/// Slot by the id of the run's control group.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4 * RH_SLOTS);
  __type(key, u64);
  __type(value, u32);
} runs SEC(".maps");

struct run {
  struct rh_ring* ring;
  u32 slot;
};

static __always_inline bool_t find_run(struct run* run, u64 id) {
  u32* slot = bpf_map_lookup_elem(&runs, &id);
  if (!slot) return 0;
  run->slot = *slot;
  void* map = bpf_map_lookup_elem(&rings, &run->slot);
  if (!map) return 0;
  u32 cpu = bpf_get_smp_processor_id();
  run->ring = bpf_map_lookup_elem(map, &cpu);
  return run->ring != 0;
}

static __always_inline bool_t current_run(struct run* run) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    u32 level = *(volatile u32*)&levels[i];
    if (level == 0) return 0;
    if (find_run(run, bpf_get_current_ancestor_cgroup_id((int)level))) return 1;
  }
  return 0;
}

static __always_inline u64 ancestor_of(struct task_struct* task, u32 level) {
  struct cgroup* group = BPF_CORE_READ(task, cgroups, dfl_cgrp);
  if ((u32)BPF_CORE_READ(group, level) < level) return 0;
  struct cgroup* ancestor = 0;
  bpf_core_read(&ancestor, sizeof ancestor, &group->ancestors[level & 63]);
  return BPF_CORE_READ(ancestor, kn, id);
}

/// The run that `task`, not the caller, belongs to.
static __always_inline bool_t run_of(struct task_struct* task, struct run* run) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    u32 level = *(volatile u32*)&levels[i];
    if (level == 0) return 0;
    u64 id = ancestor_of(task, level);
    if (id && find_run(run, id)) return 1;
  }
  return 0;
}

static __always_inline void call_governor(struct run* run) {
  struct rh_ring* ring = run->ring;
  if (ring->rung) return;
  ring->rung = 1;
  void* bell = bpf_map_lookup_elem(&bells, &run->slot);
  u64 note = 0;
  if (bell) bpf_ringbuf_output(bell, &note, sizeof note, BPF_RB_FORCE_WAKEUP);
}

/// Room for `size` bytes (at most RH_RECORD_MAX, a multiple of 8), or nothing, which is counted. An interrupt
/// may reserve too while this runs: its few hundred bytes are left free by the margin.
static __always_inline void* reserve(struct run* run, u32 size) {
  struct rh_ring* ring = run->ring;
  u64 tail = *(volatile u64*)&ring->tail;
  u64 used = ring->head + size - tail;
  if (used + 4096 > ring->mask + 1) {
    __sync_fetch_and_add(&ring->lost, 1);
    call_governor(run);
    return 0;
  }
  if (used > ring->mark) call_governor(run);
  u64 at = __sync_fetch_and_add(&ring->head, size) & ring->mask & (config.ring_bytes - 1);
  return ring->data + at;
}

static __always_inline void commit(struct run* run, struct rh_head* head, u32 size) {
  __sync_fetch_and_add(&run->ring->records, 1); /* an interrupt may commit a record of its own meanwhile */
  asm volatile("" ::: "memory");
  *(volatile u32*)&head->size = size;
}

static __always_inline void fill_head(struct rh_head* head, u8 kind) {
  head->kind = kind;
  head->abi = 0;
  head->args = 0;
  head->time_ns = bpf_ktime_get_ns();
  head->tid = (u32)bpf_get_current_pid_tgid();
  head->nr = 0;
}

#endif
