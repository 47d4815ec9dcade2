// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// All programs, as one object: they share the maps of ring.h.
#include "capture.bpf.c"
#include "gate.bpf.c"
#include "module.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
