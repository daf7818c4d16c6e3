// Memory in large pieces and ahead of time: what Swift can't say to the kernel and the processor. For tables that are
// read at random places.
#pragma once

#include <stddef.h>

/// Maps `size` bytes of zeroes, a power of two of at least one page and aligned to itself, and asks for huge pages: a
/// read at a random place of many megabytes otherwise waits for the page tables as long as for the memory. NULL when
/// there is no memory.
void *cmem_map(size_t size);
/// Gives back what `cmem_map` gave.
void cmem_unmap(void *address, size_t size);
/// Has the cache line of an address fetched, while other work goes on. Any address is allowed; nothing is read.
static inline void cmem_prefetch(const void *address) { __builtin_prefetch(address); }
