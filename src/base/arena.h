/*
 * arena.h - memory by lifetime.
 *
 * Four arenas live in a training process, each with one lifetime: `model` (weights, adapters, parameter gradients,
 * optimizer state), `step` (activations, released after every step), `session` (KV cache), `request`.  Allocation
 * bumps a pointer; release goes back to a mark, last in first out.  Nothing is freed one by one; no step calls malloc.
 *
 *   size_t mark = arena_mark(a);
 *   float *tmp = arena_alloc(a, n * sizeof *tmp);      uninitialised, 64-byte aligned
 *   ...
 *   arena_release(a, mark);                            tmp is gone
 *
 * The address range is reserved up front and the pages come on first touch, so `cap_bytes` costs nothing until used.
 * Running out is the machine's fault, not ours: arena_alloc prints a table of all arenas with a hint and exits 1.
 *
 * A dry arena finds out how much a computation needs without needing it: arena_zalloc and arena_copy count their bytes
 * and touch none, so only what the caller writes himself (headers, index arrays) becomes resident.
 *
 *   arena_init_dry(&a, "dry", cap);
 *   ... the same code with kernels that compute nothing (kernels/dry.h) ...
 *   printf("%zu\n", a.high);
 */
#ifndef OSLER_BASE_ARENA_H
#define OSLER_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Arena {
    char *base;
    size_t used, cap, high; /* bytes; high = the most that was ever used */
    size_t reserved;        /* address space; cap may be lowered to less */
    const char *name;
    bool dry;
    size_t moved;       /* dry: bytes that were to be set or copied */
    struct Arena *next; /* list of all arenas, for the out-of-memory table */
} Arena;

/* Reserves cap_bytes of address space. `name` must outlive the arena. */
void arena_init(Arena *a, const char *name, size_t cap_bytes);
void arena_init_dry(Arena *a, const char *name, size_t cap_bytes);
void arena_free(Arena *a);

void *arena_alloc(Arena *a, size_t bytes);  /* uninitialised, 64-byte aligned */
void *arena_zalloc(Arena *a, size_t bytes); /* zeroed */
/* memmove between places of the arena. */
void arena_copy(Arena *a, void *to, const void *from, size_t bytes);

static inline size_t arena_mark(const Arena *a)
{
    return a->used;
}
void arena_release(Arena *a, size_t mark);

/* Prints used, high water and capacity of every arena to stderr. */
void arena_print_all(void);

/* Bytes of memory the machine could still give (MemAvailable, and the cgroup's limit where there is one). */
size_t memory_available(void);
/* Resident set size of this process now and at its peak, in bytes. */
size_t memory_resident(void);
size_t memory_peak(void);

/* Bytes in GiB. */
static inline double gib(double bytes)
{
    return bytes / (1 << 30);
}

#endif
