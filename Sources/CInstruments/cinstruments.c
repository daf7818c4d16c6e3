#define _GNU_SOURCE

#include "cinstruments.h"

#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

// glibc has no hook for malloc, and the Swift runtime's own for its objects does not survive small strings on Linux. But
// every library calls malloc through a slot that the dynamic linker has filled in: those are filled in anew.

static pthread_once_t hooked = PTHREAD_ONCE_INIT;
static int slot_count;
static _Thread_local bool is_counting;
static _Thread_local uint64_t count;

static void *counting_malloc(size_t size) {
    if (is_counting) count++;
    return malloc(size);
}

static void fill(ElfW(Addr) slot) {
    uintptr_t page = slot & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
    if (mprotect((void *)page, slot + sizeof(void *) - page, PROT_READ | PROT_WRITE) != 0) return;
    void *replacement = (void *)counting_malloc;
    __atomic_store((void **)slot, &replacement, __ATOMIC_SEQ_CST);
    slot_count++;
}

/// The dynamic section's pointers are addresses already, as glibc leaves them.
static int visit(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size, (void)context;
    if (!strstr(info->dlpi_name, "libswiftCore")) return 0;
    const ElfW(Dyn) *dynamic = NULL;
    for (int index = 0; index < info->dlpi_phnum; index++)
        if (info->dlpi_phdr[index].p_type == PT_DYNAMIC)
            dynamic = (const void *)(info->dlpi_addr + info->dlpi_phdr[index].p_vaddr);
    if (!dynamic) return 0;
    const ElfW(Sym) *symbols = NULL;
    const char *names = NULL;
    const ElfW(Rela) *tables[2] = {NULL, NULL};
    size_t sizes[2] = {0, 0};
    for (; dynamic->d_tag != DT_NULL; dynamic++) switch (dynamic->d_tag) {
        case DT_SYMTAB: symbols = (const void *)dynamic->d_un.d_ptr; break;
        case DT_STRTAB: names = (const void *)dynamic->d_un.d_ptr; break;
        case DT_JMPREL: tables[0] = (const void *)dynamic->d_un.d_ptr; break;
        case DT_PLTRELSZ: sizes[0] = dynamic->d_un.d_val; break;
        case DT_RELA: tables[1] = (const void *)dynamic->d_un.d_ptr; break;
        case DT_RELASZ: sizes[1] = dynamic->d_un.d_val; break;
        default: break;
        }
    if (!symbols || !names) return 0;
    for (int table = 0; table < 2; table++)
        for (size_t index = 0; tables[table] && index < sizes[table] / sizeof(ElfW(Rela)); index++) {
            const ElfW(Rela) *entry = &tables[table][index];
            const ElfW(Sym) *symbol = &symbols[ELF64_R_SYM(entry->r_info)];
            if (ELF64_R_SYM(entry->r_info) != 0 && !strcmp(names + symbol->st_name, "malloc"))
                fill(info->dlpi_addr + entry->r_offset);
        }
    return 0;
}

static void hook(void) { dl_iterate_phdr(visit, NULL); }

bool cins_count_begin(void) {
    pthread_once(&hooked, hook);
    count = 0;
    is_counting = slot_count > 0;
    return is_counting;
}

uint64_t cins_count_end(void) {
    is_counting = false;
    return count;
}

uint64_t cins_allocated_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

int64_t cins_thread_cpu_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t cins_process_cpu_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}
