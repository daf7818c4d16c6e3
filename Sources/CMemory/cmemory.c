#define _GNU_SOURCE

#include "cmemory.h"

#include <stdint.h>
#include <sys/mman.h>

void *cmem_map(size_t size) {
    // Twice as much, so that an aligned piece is in it; the rest goes back at once.
    char *start = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return NULL;
    size_t before = -(uintptr_t)start & (size - 1);
    if (before > 0) munmap(start, before);
    munmap(start + before + size, size - before);
    // Where there are no huge pages, small ones do.
    madvise(start + before, size, MADV_HUGEPAGE);
    return start + before;
}

void cmem_unmap(void *address, size_t size) { munmap(address, size); }
