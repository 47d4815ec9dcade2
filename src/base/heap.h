// Memory for a process that lives for milliseconds: a page fault costs from half a microsecond on bare metal
// to twenty in a virtual machine, and a run would take hundreds of them, one by one.
#pragma once

#include <cstddef>

namespace rehearse {

/// To be called once, before there are threads: the heap grows and shrinks in large steps (mallopt(3)).
void prepare_heap();

/// Makes the next `bytes` of the calling thread's heap (at most 1 MiB) present with one system call,
/// madvise(2) MADV_POPULATE_WRITE. Older kernels than 5.14 do without. It is memory that is not given back
/// until the thread's heap shrinks: ask for what will be used.
void warm_heap(std::size_t bytes);

}  // namespace rehearse
