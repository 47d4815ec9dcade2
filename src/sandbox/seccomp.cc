#include "sandbox/seccomp.h"

namespace rehearse::sandbox {
namespace {
constexpr struct sock_filter kProgram[] = {
#include "seccomp_program.inc"
};
}  // namespace

std::span<const struct sock_filter> seccomp_program() {
  return kProgram;
}

}  // namespace rehearse::sandbox
