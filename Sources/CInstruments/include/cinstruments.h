// What a measurement needs and Swift can't say: counts of a thread's allocations, the allocator's own figures. For
// `Benchmark` and for tests of budgets alone; what serves calls does not use it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Begins to count the calls of malloc that this thread makes; from the first time on, malloc takes every thread a few
/// nanoseconds longer. False where the calls can't be found.
bool cins_count_begin(void);
/// Ends the count of this thread and gives it.
uint64_t cins_count_end(void);

/// Bytes that the process holds from malloc, large blocks included.
uint64_t cins_allocated_bytes(void);
/// CPU time that this thread has used, user and system, ns.
int64_t cins_thread_cpu_nanoseconds(void);
/// CPU time that the whole process has used, user and system, ns.
int64_t cins_process_cpu_nanoseconds(void);
