#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

typedef struct Range {
    int32_t first, last;
} Range;

static bool range_holds(const Range *r, int n, int32_t c)
{
    int lo = 0, hi = n;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (c > r[mid].last) lo = mid + 1;
        else hi = mid;
    }
    return lo < n && c >= r[lo].first;
}

/* ---- where the output comes from ---- */

void alignment_release(Alignment *a)
{
    free(a->at);
    *a = (Alignment){0};
}

static void align(Alignment *a, size_t at, size_t from, bool copied)
{
    AlignedRun run = {(int)at, (int)from, copied};
    if (a) vec_push(a, run);
}

/* The run that holds output byte `at`. */
static const AlignedRun *run_of(const Alignment *a, int at)
{
    int lo = 0, hi = a->n - 1;
    while (lo + 1 < hi) {
        int mid = (lo + hi) / 2;
        if (a->at[mid].at <= at) lo = mid;
        else hi = mid;
    }
    return &a->at[lo];
}

int align_begin(const Alignment *a, int begin)
{
    const AlignedRun *r = run_of(a, begin);
    return r->copied ? r->from + begin - r->at : r->from;
}

int align_end(const Alignment *a, int end)
{
    const AlignedRun *r = run_of(a, end - 1);
    return r->copied ? r->from + end - r->at : r[1].from;
}

/* ---- UTF-8 ---- */

/*
 * Length of the longest piece at s that is, or begins like, one character (at least 1); *want = the length its first
 * byte promises, 0 for a byte no character begins with.  Whole where both are equal.  Table 3-7 of the standard.
 */
static size_t utf8_piece(const char *text, size_t n, size_t *want)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned char b = s[0];
    *want = b < 0x80 ? 1 : b < 0xc2 ? 0 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : b < 0xf5 ? 4 : 0;
    unsigned char lo = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80;
    unsigned char hi = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
    size_t k = 1;
    for (; k < *want && k < n && s[k] >= lo && s[k] <= hi; k++) lo = 0x80, hi = 0xbf;
    return k;
}

size_t utf8_next(const char *s, size_t n, int32_t *c)
{
    size_t want;
    if (utf8_piece(s, n, &want) != want) return 0;
    const unsigned char *b = (const unsigned char *)s;
    *c = want == 1 ? b[0] : b[0] & (0x7f >> want);
    for (size_t i = 1; i < want; i++) *c = *c << 6 | (b[i] & 0x3f);
    return want;
}

bool utf8_valid(const char *s, size_t n)
{
    size_t want;
    for (size_t i = 0; i < n; i += want)
        if (utf8_piece(s + i, n - i, &want) != want) return false;
    return true;
}

size_t utf8_complete(const char *s, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        size_t want, got = utf8_piece(s + n - back, back, &want);
        if (got == back && want > got) return n - back;
    }
    return n;
}

void utf8_repair(Buf *out, Alignment *a, const char *s, size_t n)
{
    size_t want, got, kept = 0;
    for (size_t i = 0; i < n; i += got) {
        got = utf8_piece(s + i, n - i, &want);
        if (got == want) continue;
        if (kept < i) align(a, out->len, kept, true);
        buf_add(out, s + kept, i - kept);
        align(a, out->len, i, false);
        buf_str(out, "\xef\xbf\xbd");
        kept = i + got;
    }
    if (kept < n) align(a, out->len, kept, true);
    buf_add(out, s + kept, n - kept);
    align(a, out->len, n, true);
}

/* ---- classes ---- */

bool char_is_space(int32_t c)
{
    static const Range space[] = {{0x09, 0x0d},     {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},
                                  {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
                                  {0x205f, 0x205f}, {0x3000, 0x3000}};
    return range_holds(space, COUNT(space), c);
}

static bool char_is_mark(int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC || k == UTF8PROC_CATEGORY_ME;
}

bool char_is_word(int32_t c)
{
    /* Join_Control, and what is Alphabetic by itself: circled and squared letters */
    static const Range other[] = {
        {0x200c, 0x200d}, {0x24b6, 0x24e9}, {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189}};
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return true;
    default: return range_holds(other, COUNT(other), c);
    }
}

/* ---- NFC ---- */

/*
 * Marks of Unicode 10 to 16 that reorder or compose.  The `tokenizers` library normalises by the tables of Unicode 9,
 * where an unassigned code point neither moves nor lets anything move past it.
 */
static bool is_newer_mark(int32_t c)
{
    static const Range newer[] = {
        {0x7fd, 0x7fd},     {0x897, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},     {0xc3c, 0xc3c},
        {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},
        {0xa82c, 0xa82c},   {0x10d24, 0x10d27}, {0x10d69, 0x10d6d}, {0x10eab, 0x10eac}, {0x10efc, 0x10eff},
        {0x10f46, 0x10f50}, {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x113b8, 0x113e2},
        {0x1145e, 0x1145e}, {0x11839, 0x1183a}, {0x11930, 0x11930}, {0x1193d, 0x1193e}, {0x11943, 0x11943},
        {0x119e0, 0x119e0}, {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42},
        {0x11d44, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42}, {0x11f5a, 0x11f5a}, {0x1611e, 0x1612f},
        {0x16ff0, 0x16ff1}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef},
        {0x1e4ec, 0x1e4ef}, {0x1e5ee, 0x1e5ef}};
    return c >= newer[0].first && range_holds(newer, COUNT(newer), c);
}

/*
 * May c change together with what stands before it?  True for every mark and for Hangul vowel and final jamo, but for
 * U+11A7: it is one less than the first final and composes with nothing, and utf8proc takes it for an empty final.
 */
static bool joins(int32_t c)
{
    if (c < 0x300 || c == 0x11a7) return false;
    return (c >= 0x1160 && c <= 0x11ff) || (char_is_mark(c) && !is_newer_mark(c));
}

/* Length of the run at s that normalises by itself; *plain where it surely stays as it is. */
static size_t run_length(const char *s, size_t n, bool *plain)
{
    int32_t c, next;
    size_t len = utf8_next(s, n, &c), k = 0;
    *plain = c < 0x300 || is_newer_mark(c) || utf8proc_get_property(c)->decomp_seqindex == UINT16_MAX;
    if (is_newer_mark(c)) return len;
    for (; len < n && (k = utf8_next(s + len, n - len, &next)) && joins(next); len += k) *plain = false;
    return len;
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

typedef struct NfcWork {
    VEC(int32_t) c;
    VEC(uint64_t) key;
} NfcWork;

/* Canonical ordering: every stretch of non-starters sorted by combining class, stably. */
static void order_marks(NfcWork *w)
{
    for (int i = 0; i < w->c.n; i++) {
        w->key.n = 0;
        for (int j = i; j < w->c.n; j++) {
            uint64_t ccc = (uint64_t)utf8proc_get_property(w->c.at[j])->combining_class;
            if (!ccc) break;
            vec_push(&w->key, ccc << 56 | (uint64_t)(j - i) << 21 | (uint64_t)w->c.at[j]);
        }
        if (w->key.n > 1) qsort(w->key.at, (size_t)w->key.n, sizeof *w->key.at, compare_keys);
        for (int j = 0; j < w->key.n; j++) w->c.at[i + j] = (int32_t)(w->key.at[j] & 0x1fffff);
        i += w->key.n;
    }
}

static void normalise_run(NfcWork *w, Buf *out, const char *s, size_t n)
{
    int32_t c, part[32];
    w->c.n = 0;
    for (size_t i = 0, k; i < n; i += k) {
        k = utf8_next(s + i, n - i, &c);
        utf8proc_ssize_t m = utf8proc_decompose_char(c, part, COUNT(part), UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, NULL);
        CHECK(m > 0 && m <= COUNT(part), "decomposition of U+%04X into %td", (unsigned)c, m);
        for (int j = 0; j < m; j++) vec_push(&w->c, part[j]);
    }
    order_marks(w);
    utf8proc_ssize_t m = utf8proc_normalize_utf32(w->c.at, w->c.n, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    for (int i = 0; i < m; i++) {
        utf8proc_uint8_t b[4];
        buf_add(out, b, (size_t)utf8proc_encode_char(w->c.at[i], b));
    }
}

/* Bytes at s before any character that could belong to a changing run: all below U+0300 and nothing joins the last. */
static size_t skip_plain(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && (unsigned char)s[i] < 0xcc) i++;
    if (i == n || i == 0) return i;
    do i--;
    while (i > 0 && ((unsigned char)s[i] & 0xc0) == 0x80);
    return i;
}

bool nfc(Buf *out, Alignment *a, const char *s, size_t n)
{
    NfcWork w = {0};
    Buf run = {0};
    size_t kept = 0; /* s[kept..i) goes over as it is */
    for (size_t i = skip_plain(s, n), len; i < n; i += len, i += skip_plain(s + i, n - i)) {
        bool plain;
        len = run_length(s + i, n - i, &plain);
        if (plain) continue;
        buf_clear(&run);
        normalise_run(&w, &run, s + i, len);
        if (run.len == len && !memcmp(run.data, s + i, len)) continue;
        if (kept < i) align(a, out->len, kept, true);
        buf_add(out, s + kept, i - kept);
        align(a, out->len, i, false);
        buf_add(out, run.data, run.len);
        kept = i + len;
    }
    if (kept) {
        if (kept < n) align(a, out->len, kept, true);
        buf_add(out, s + kept, n - kept);
        align(a, out->len, n, true);
    }
    free(w.c.at);
    free(w.key.at);
    buf_release(&run);
    return kept > 0;
}
