// Build-time tool: turns the seccomp table into BPF with libseccomp and prints it as a C array. Compiling it
// at every run would cost a tenth of a whole small rehearsal.

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "sandbox/seccomp_table.h"
#include "syscalls/table.h"

namespace {

using namespace rehearse::sandbox;

bool add(scmp_filter_ctx context, const SeccompRule& rule) {
  std::vector<struct scmp_arg_cmp> conditions;
  for (const auto& condition : {rule.first, rule.second}) {
    if (!condition) continue;
    struct scmp_arg_cmp compare = {};
    compare.arg = condition->argument;
    if (condition->differs) {
      compare.op = SCMP_CMP_NE;
      compare.datum_a = condition->value;
    } else {
      compare.op = SCMP_CMP_MASKED_EQ;
      compare.datum_a = condition->mask;
      compare.datum_b = condition->value;
    }
    conditions.push_back(compare);
  }
  const std::uint32_t action = SCMP_ACT_ERRNO(static_cast<std::uint32_t>(rule.error));
  return seccomp_rule_add_exact_array(context, action, static_cast<int>(rule.number),
                                      static_cast<unsigned>(conditions.size()), conditions.data()) == 0;
}

std::vector<struct sock_filter> compile() {
  scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
  if (context == nullptr) return {};
  bool good = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
              seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0;
  for (const SeccompRule& rule : seccomp_rules()) {
    good = good && add(context, rule);
    if (!good) {
      std::fprintf(stderr, "seccomp_compile: cannot add %s\n", std::string(rule.name()).c_str());
      return {};
    }
  }
  const auto allowed = allowed_socket_families();
  for (int family = 0; family < kSocketFamilyCount; ++family) {
    if (std::find(allowed.begin(), allowed.end(), family) != allowed.end()) continue;
    SeccompRule rule = {rehearse::syscalls::Nr::socket, EAFNOSUPPORT, "", ""};
    rule.first = SeccompCondition{0, 0xffffffff, static_cast<std::uint64_t>(family)};
    good = good && add(context, rule);
  }
  const int fd = memfd_create("bpf", 0);
  good = good && fd >= 0 && seccomp_export_bpf(context, fd) == 0;
  seccomp_release(context);
  if (!good) return {};
  const off_t size = lseek(fd, 0, SEEK_END);
  std::vector<struct sock_filter> program(static_cast<std::size_t>(size) / sizeof(struct sock_filter));
  if (pread(fd, program.data(), static_cast<std::size_t>(size), 0) != size) return {};
  close(fd);
  return program;
}

}  // namespace

int main() {
  std::vector<struct sock_filter> program = compile();
  if (program.empty()) {
    std::fprintf(stderr, "seccomp_compile: libseccomp made no program\n");
    return 1;
  }
  // In front: numbers this table has never heard of. x32 numbers are left to libseccomp's own check.
  const struct sock_filter unknown[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, kLastKnownSyscall, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
  };
  program.insert(program.begin(), std::begin(unknown), std::end(unknown));
  std::printf("// Made by seccomp_compile from seccomp_table.cc.\n");
  for (const struct sock_filter& op : program) {
    std::printf("{0x%02x, %u, %u, 0x%08xU},\n", op.code, op.jt, op.jf, op.k);
  }
  return 0;
}
