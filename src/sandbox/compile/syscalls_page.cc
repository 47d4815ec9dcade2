// Build-time tool: prints docs/syscalls.md, from the table of system calls and what the filter does with
// each.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "sandbox/seccomp_table.h"
#include "syscalls/call.h"
#include "syscalls/table.h"

namespace {

using namespace rehearse;

std::string classes(const syscalls::Syscall& call) {
  std::string text;
  for (unsigned bit = 0; bit < 16; ++bit) {
    const auto one = static_cast<syscalls::Class>(1U << bit);
    if (one == syscalls::Class::kBlocks || !syscalls::has(call.classes, one)) continue;
    text += text.empty() ? "" : ", ";
    text += syscalls::class_name(one);
  }
  return text;
}

std::string outcome(int error) {
  return error == 0 ? "success is faked" : std::string(syscalls::errno_name(error));
}

std::string treatment(const syscalls::Syscall& call) {
  if (call.nr > sandbox::kLastKnownSyscall) return "ENOSYS: newer than the filter";
  std::string text;
  const auto add = [&](const std::string& part) {
    if (text.find(part) != std::string::npos) return;  // the same for another family
    text += text.empty() ? "" : "; ";
    text += part;
  };
  for (const sandbox::SeccompRule& rule : sandbox::seccomp_rules()) {
    if (rule.number != call.nr) continue;
    const std::string condition = rule.when;
    add(outcome(rule.error) + (condition.empty() ? "" : " if " + condition) + " (" + rule.why + ')');
  }
  if (call.nr == syscalls::Nr::socket) add("EAFNOSUPPORT for families that no ordinary program needs");
  return text.empty() ? "allowed" : text;
}

}  // namespace

int main() {
  std::string page =
      "# System calls\n\n"
      "Made by `syscalls_page` from `src/syscalls/syscalls.def` and `src/sandbox/seccomp_table.cc`; do not "
      "edit. "
      "To renew it: `build/release/syscalls_page > docs/syscalls.md`.\n\n"
      "\"Privileged\" names what an attempt could do to a host that lets it. \"Allowed\" means that the "
      "filter "
      "lets the call through: the kernel still asks for rights, which an action has only inside its own "
      "namespaces, and answers ENOSYS itself for a number without a call behind it (`create_module`).\n\n"
      "| number | call | class | privileged | in the sandbox |\n|---|---|---|---|---|\n";
  for (const syscalls::Syscall& call : syscalls::all_syscalls()) {
    page += fmt::format("| {} | `{}` | {} | {} | {} |\n", call.nr, call.name, classes(call),
                        syscalls::to_string(call.privilege), treatment(call));
  }
  std::fputs(page.c_str(), stdout);
  return 0;
}
