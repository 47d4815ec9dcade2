// System calls without libc, for code that runs after clone and shares or has no libc state: no errno, no
// locks. x86-64 calling convention: syscall(2), "Architecture calling conventions". A result in [-4095, -1]
// is -errno.
#pragma once

#include <sys/syscall.h>

#include <cstddef>
#include <type_traits>

namespace rehearse::sandbox::raw {

template <class T>
inline long word(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else {
    return static_cast<long>(value);
  }
}

inline long call6(long number, long a, long b, long c, long d, long e, long f) {
  long result = 0;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

template <class A = long, class B = long, class C = long, class D = long, class E = long, class F = long>
inline long call(long number, A a = {}, B b = {}, C c = {}, D d = {}, E e = {}, F f = {}) {
  return call6(number, word(a), word(b), word(c), word(d), word(e), word(f));
}

/// clone3(2) for a child that runs `function(argument)` on the stack given in the clone_args and exits with
/// its result. With CLONE_VM the child shares this address space: `function` may only make raw calls.
inline long clone_function(void* clone_args, std::size_t size, int (*function)(void*), void* argument) {
  long result = 0;
  register void* r8 asm("r8") = reinterpret_cast<void*>(function);
  register void* r9 asm("r9") = argument;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r9, %%rdi\n\t"
      "call *%%r8\n\t"
      "mov %%eax, %%edi\n\t"
      "mov $60, %%eax\n\t"  // exit
      "syscall\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "a"(SYS_clone3), "D"(clone_args), "S"(size), "r"(r8), "r"(r9)
      : "rcx", "r10", "r11", "rdx", "memory");
  return result;
}

}  // namespace rehearse::sandbox::raw
