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

/* The slot that holds the key, or the empty one where it would go. */
static int find_slot(const Map *m, const char *key, size_t len)
{
    uint64_t h = hash_bytes(HASH_INIT, key, len);
    h ^= h >> 32;
    for (int i = (int)(h & (uint64_t)(m->n_slots - 1));; i = (i + 1) & (m->n_slots - 1)) {
        int32_t e = m->slot[i];
        if (e < 0 || (m->entry[e].len == len && !memcmp(m->entry[e].key, key, len))) return i;
    }
}

static void grow(Map *m)
{
    int n = m->n_slots ? 2 * m->n_slots : 32;
    free(m->slot);
    m->slot = xmalloc((size_t)n * sizeof *m->slot);
    memset(m->slot, 0xff, (size_t)n * sizeof *m->slot);
    m->n_slots = n;
    for (int e = 0; e < m->n; e++) m->slot[find_slot(m, m->entry[e].key, m->entry[e].len)] = e;
}

void map_set(Map *m, const char *key, size_t len, int64_t value)
{
    if (2 * (m->n + 1) > m->n_slots) grow(m);
    int s = find_slot(m, key, len);
    if (m->slot[s] >= 0) {
        m->entry[m->slot[s]].value = value;
        return;
    }
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 16;
        m->entry = xrealloc(m->entry, (size_t)m->cap * sizeof *m->entry);
    }
    m->slot[s] = m->n;
    m->entry[m->n++] = (MapEntry){xstrndup(key, len), len, value};
}

bool map_get(const Map *m, const char *key, size_t len, int64_t *value)
{
    if (!m->n_slots) return false;
    int32_t e = m->slot[find_slot(m, key, len)];
    if (e < 0) return false;
    *value = m->entry[e].value;
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
