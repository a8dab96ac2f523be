#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void map_release(Map *m)
{
    for (int i = 0; i < m->n; i++) free(m->entry[i].key);
    free(m->entry);
    free(m->slot);
    *m = (Map){0};
}

static uint32_t hash_of(const char *key, size_t len)
{
    uint64_t h = hash_bytes(HASH_INIT, key, len);
    return (uint32_t)(h ^ h >> 32);
}

/* The slot that holds the key, or the empty one where it would go. */
static MapSlot *find_slot(const Map *m, uint32_t hash, const char *key, size_t len)
{
    uint32_t mask = (uint32_t)m->n_slots - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        MapSlot *s = &m->slot[i];
        if (s->entry < 0) return s;
        const MapEntry *e = &m->entry[s->entry];
        if (s->hash == hash && e->len == len && !memcmp(e->key, key, len)) return s;
    }
}

static void grow(Map *m)
{
    MapSlot *old = m->slot;
    int n_old = m->n_slots;
    m->n_slots = n_old ? 2 * n_old : 32;
    m->slot = xmalloc((size_t)m->n_slots * sizeof *m->slot);
    memset(m->slot, 0xff, (size_t)m->n_slots * sizeof *m->slot);
    for (int k = 0; k < n_old; k++) {
        const MapSlot *s = &old[k];
        uint32_t i = s->hash & ((uint32_t)m->n_slots - 1);
        if (s->entry < 0) continue;
        while (m->slot[i].entry >= 0) i = (i + 1) & ((uint32_t)m->n_slots - 1);
        m->slot[i] = *s;
    }
    free(old);
}

void map_set(Map *m, const char *key, size_t len, int64_t value)
{
    if (2 * (m->n + 1) > m->n_slots) grow(m);
    uint32_t hash = hash_of(key, len);
    MapSlot *s = find_slot(m, hash, key, len);
    if (s->entry >= 0) {
        m->entry[s->entry].value = value;
        return;
    }
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 16;
        m->entry = xrealloc(m->entry, (size_t)m->cap * sizeof *m->entry);
    }
    *s = (MapSlot){hash, m->n};
    m->entry[m->n++] = (MapEntry){xstrndup(key, len), len, value};
}

bool map_get(const Map *m, const char *key, size_t len, int64_t *value)
{
    if (!m->n_slots) return false;
    const MapSlot *s = find_slot(m, hash_of(key, len), key, len);
    if (s->entry < 0) return false;
    *value = m->entry[s->entry].value;
    return true;
}

bool map_get_str(const Map *m, const char *key, int64_t *value)
{
    return map_get(m, key, strlen(key), value);
}

void map_set_str(Map *m, const char *key, int64_t value)
{
    map_set(m, key, strlen(key), value);
}
