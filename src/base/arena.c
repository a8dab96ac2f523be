#include "base/arena.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"

enum { ALIGN = 64 };
static const double GIB = 1024.0 * 1024.0 * 1024.0;

static Arena *all_arenas;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

static void reserve(Arena *a, const char *name, size_t cap_bytes, int advice)
{
    void *base = mmap(NULL, cap_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        fprintf(stderr, "error: cannot reserve %.2f GiB of address space for arena '%s'\n", (double)cap_bytes / GIB,
                name);
        exit(1);
    }
    madvise(base, cap_bytes, advice);
    *a = (Arena){.base = base, .cap = cap_bytes, .reserved = cap_bytes, .name = name};
    pthread_mutex_lock(&list_lock);
    a->next = all_arenas;
    all_arenas = a;
    pthread_mutex_unlock(&list_lock);
}

void arena_init(Arena *a, const char *name, size_t cap_bytes)
{
    reserve(a, name, cap_bytes, MADV_HUGEPAGE);
}

/* What is touched lies far apart: small pages. */
void arena_init_dry(Arena *a, const char *name, size_t cap_bytes)
{
    reserve(a, name, cap_bytes, MADV_NOHUGEPAGE);
    a->dry = true;
}

void arena_free(Arena *a)
{
    if (!a->base) return;
    pthread_mutex_lock(&list_lock);
    for (Arena **p = &all_arenas; *p; p = &(*p)->next)
        if (*p == a) {
            *p = a->next;
            break;
        }
    pthread_mutex_unlock(&list_lock);
    munmap(a->base, a->reserved);
    *a = (Arena){0};
}

NORETURN static void arena_full(const Arena *a, size_t bytes)
{
    fprintf(stderr, "error: out of memory: arena '%s' needs %.3f GiB more\n", a->name, (double)bytes / GIB);
    arena_print_all();
    fprintf(stderr,
            "hint: lower max_length, max_pixels or per_device_train_batch_size, turn gradient_checkpointing on, "
            "or train with finetuning_type=lora\n");
    fflush(NULL);
    _exit(1);
}

void *arena_alloc(Arena *a, size_t bytes)
{
    size_t at = (a->used + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (bytes > a->cap || at > a->cap - bytes) arena_full(a, bytes);
    a->used = at + bytes;
    if (a->used > a->high) a->high = a->used;
    return a->base + at;
}

void *arena_zalloc(Arena *a, size_t bytes)
{
    void *p = arena_alloc(a, bytes);
    if (a->dry) a->moved += bytes;
    else memset(p, 0, bytes);
    return p;
}

void arena_copy(Arena *a, void *to, const void *from, size_t bytes)
{
    if (a->dry) a->moved += bytes;
    else memmove(to, from, bytes);
}

void arena_release(Arena *a, size_t mark)
{
    CHECK(mark <= a->used, "arena %s: release to %zu, but only %zu are used", a->name, mark, a->used);
    a->used = mark;
}

void arena_print_all(void)
{
    fprintf(stderr, "  %-12s %10s %10s %10s  (GiB)\n", "arena", "used", "high", "capacity");
    pthread_mutex_lock(&list_lock);
    for (const Arena *a = all_arenas; a; a = a->next)
        fprintf(stderr, "  %-12s %10.3f %10.3f %10.3f\n", a->name, (double)a->used / GIB, (double)a->high / GIB,
                (double)a->cap / GIB);
    pthread_mutex_unlock(&list_lock);
    fprintf(stderr, "  resident %.3f GiB, available on this machine %.3f GiB\n", (double)memory_resident() / GIB,
            (double)memory_available() / GIB);
}

/* The number after `key` in a file of "key value" lines, in units of `scale` bytes; 0 where absent. */
static size_t read_counter(const char *path, const char *key, size_t scale)
{
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    char line[256];
    size_t n = strlen(key), value = 0;
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, key, n)) {
            value = (size_t)strtoull(line + n, NULL, 10) * scale;
            break;
        }
    fclose(f);
    return value;
}

size_t memory_available(void)
{
    size_t free_now = read_counter("/proc/meminfo", "MemAvailable:", 1024);
    size_t limit = read_counter("/sys/fs/cgroup/memory.max", "", 1);
    size_t used = read_counter("/sys/fs/cgroup/memory.current", "", 1);
    if (limit && limit > used && limit - used < free_now) free_now = limit - used;
    return free_now ? free_now : (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
}

size_t memory_resident(void)
{
    return read_counter("/proc/self/status", "VmRSS:", 1024);
}

size_t memory_peak(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (size_t)u.ru_maxrss * 1024;
}
