// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// No kernel module is loaded for a run: a module is the host's, and stays. The kernel asks for one on behalf
// of whoever names a file system, a device kind or a protocol that is not there, however few rights they
// have. (request_module() in kernel/module/kmod.c asks the security hook first; whoever may attach to it by
// fmod_ret needs no security module of BPF: Linux 5.7.)
#include "ring.h"

#define EPERM 1

SEC("?fmod_ret/security_kernel_module_request")
int BPF_PROG(on_module, char* name, int result) {
  struct run run = {};
  if (!current_run(&run)) return result;
  struct rh_module* module = reserve(&run, sizeof *module);
  if (!module) return -EPERM;
  fill_head(&module->head, RH_MODULE);
  __builtin_memset(module->name, 0, sizeof module->name);
  bpf_probe_read_kernel_str(module->name, sizeof module->name, name);
  commit(&run, &module->head, sizeof *module);
  return -EPERM;
}
