/*
 * map.h - a hash map from byte strings to 64-bit integers (indexes, ids, pointers cast by the caller).
 *
 * Open addressing, keys copied into the map. Iteration order is insertion order, so whatever is printed from a map is
 * the same on every run.
 *
 *   Map m = {0};
 *   map_set(&m, "heart", 5, 42);
 *   int64_t v;
 *   if (map_get(&m, "heart", 5, &v)) ...
 *   map_release(&m);
 */
#ifndef OSLER_BASE_MAP_H
#define OSLER_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct MapEntry {
    char *key; /* NUL-terminated copy, len bytes without the NUL */
    size_t len;
    int64_t value;
} MapEntry;

typedef struct MapSlot {
    uint32_t hash;
    int32_t entry; /* its index, -1 = empty */
} MapSlot;

typedef struct Map {
    MapEntry *entry; /* in insertion order */
    int n, cap;
    MapSlot *slot; /* the hash table */
    int n_slots;
} Map;

void map_release(Map *m);
void map_set(Map *m, const char *key, size_t len, int64_t value); /* replaces an old value */
bool map_get(const Map *m, const char *key, size_t len, int64_t *value);
bool map_get_str(const Map *m, const char *key, int64_t *value);
void map_set_str(Map *m, const char *key, int64_t value);

/* 64-bit FNV-1a, for content hashes that need no secrecy. Start with hash = HASH_INIT. */
#define HASH_INIT UINT64_C(0xcbf29ce484222325)
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n);

#endif
