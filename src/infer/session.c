#include "infer/session.h"

#include <stdlib.h>
#include <string.h>

typedef struct Sequence {
    bool open;
    VEC(Span) span; /* rows in order; neighbours are merged */
    VEC(int) page;  /* pages whose rows the spans use */
    int length;     /* rows */
    int next_pos;   /* position of the next text token */
} Sequence;

struct Session {
    Engine *e;
    Arena arena; /* the cache */
    KvCache *kv; /* [l] */
    int rows, n_pages;
    int *users; /* [n_pages] sequences that hold the page */
    VEC(Sequence) seq;
    float *logits; /* of the last call */
    size_t logits_cap;
};

/* ---- lifetime --------------------------------------------------------------------------------------------------- */

static size_t cache_row_bytes(const Model *m)
{
    return (size_t)m->cfg.hk * (size_t)m->cfg.hd * dtype_size(m->dev.k.dtype);
}

int session_affordable_rows(const Engine *e, int64_t wanted)
{
    size_t row = 2 * (size_t)e->model->cfg.l * cache_row_bytes(e->model);
    int64_t most = INT64_C(1) << 26, memory = (int64_t)(memory_available() / 2 / row);
    if (wanted > memory) wanted = memory;
    return wanted < SESSION_PAGE ? SESSION_PAGE : (int)(wanted < most ? wanted : most);
}

Session *session_new(Engine *e, int cap_rows)
{
    const Model *m = e->model;
    Session *s = xcalloc(1, sizeof *s);
    s->e = e;
    s->n_pages = (cap_rows + SESSION_PAGE - 1) / SESSION_PAGE;
    s->rows = s->n_pages * SESSION_PAGE;
    s->users = xcalloc((size_t)s->n_pages + 1, sizeof *s->users);
    size_t layer = cache_row_bytes(m) * (size_t)s->rows + 64; /* 64: the arena's alignment */
    arena_init(&s->arena, "session", 2 * (size_t)m->cfg.l * layer + (size_t)m->cfg.l * sizeof *s->kv + 4096);
    s->kv = arena_alloc(&s->arena, sizeof *s->kv * (size_t)m->cfg.l);
    for (int i = 0; i < m->cfg.l; i++)
        s->kv[i] = (KvCache){arena_alloc(&s->arena, layer), arena_alloc(&s->arena, layer), s->rows};
    return s;
}

void session_free(Session *s)
{
    if (!s) return;
    for (int i = 0; i < s->seq.n; i++) {
        free(s->seq.at[i].span.at);
        free(s->seq.at[i].page.at);
    }
    free(s->seq.at);
    free(s->users);
    free(s->logits);
    arena_free(&s->arena);
    free(s);
}

static Sequence *sequence(const Session *s, int seq)
{
    CHECK(seq >= 0 && seq < s->seq.n && s->seq.at[seq].open, "session: no sequence %d", seq);
    return &s->seq.at[seq];
}

int session_open(Session *s)
{
    int i = 0;
    while (i < s->seq.n && s->seq.at[i].open) i++;
    if (i == s->seq.n) vec_push(&s->seq, (Sequence){0});
    s->seq.at[i].open = true;
    return i;
}

int session_fork(Session *s, int seq)
{
    int child = session_open(s);
    const Sequence *from = sequence(s, seq);
    Sequence *to = sequence(s, child);
    for (int i = 0; i < from->span.n; i++) vec_push(&to->span, from->span.at[i]);
    for (int i = 0; i < from->page.n; i++) {
        vec_push(&to->page, from->page.at[i]);
        s->users[from->page.at[i]]++;
    }
    to->length = from->length;
    to->next_pos = from->next_pos;
    return child;
}

void session_close(Session *s, int seq)
{
    Sequence *q = sequence(s, seq);
    for (int i = 0; i < q->page.n; i++) s->users[q->page.at[i]]--;
    q->span.n = q->page.n = 0;
    q->length = q->next_pos = 0;
    q->open = false;
}

int session_length(const Session *s, int seq)
{
    return sequence(s, seq)->length;
}

int session_rows_free(const Session *s)
{
    int pages = 0;
    for (int i = 0; i < s->n_pages; i++) pages += !s->users[i];
    return pages * SESSION_PAGE;
}

Engine *session_engine(const Session *s)
{
    return s->e;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

/* Rows that can still be appended to the sequence's last page: none where another sequence holds the page, too. */
static int tail_room(const Session *s, const Sequence *q)
{
    if (!q->span.n) return 0;
    const Span *last = &q->span.at[q->span.n - 1];
    int end = last->start + last->len;
    if (end % SESSION_PAGE == 0 || s->users[end / SESSION_PAGE] > 1) return 0;
    return SESSION_PAGE - end % SESSION_PAGE;
}

/* The lowest free page; -1 where there is none. */
static int free_page(const Session *s)
{
    for (int i = 0; i < s->n_pages; i++)
        if (!s->users[i]) return i;
    return -1;
}

static void append_rows(Sequence *q, int start, int len)
{
    Span *last = q->span.n ? &q->span.at[q->span.n - 1] : NULL;
    if (last && last->start + last->len == start) last->len += len;
    else vec_push(&q->span, ((Span){start, len}));
    q->length += len;
}

/* Appends n rows and writes their numbers to row. The caller has made sure that there is room. */
static void take_rows(Session *s, Sequence *q, int n, int *row)
{
    while (n > 0) {
        int room = tail_room(s, q), start;
        if (room) {
            const Span *last = &q->span.at[q->span.n - 1];
            start = last->start + last->len;
        } else {
            int page = free_page(s);
            CHECK(page >= 0, "session: rows were promised and are not there");
            s->users[page]++;
            vec_push(&q->page, page);
            start = page * SESSION_PAGE;
            room = SESSION_PAGE;
        }
        int k = n < room ? n : room;
        for (int i = 0; i < k; i++) *row++ = start + i;
        append_rows(q, start, k);
        n -= k;
    }
}

/* Are there rows for n more tokens in each of the sequences? */
static int check_room(const Session *s, const int *seq, int n_seq, int n, Err *err)
{
    int max = s->e->model->cfg.max_positions, free_rows = session_rows_free(s);
    int64_t needed = 0;
    for (int i = 0; i < n_seq; i++) {
        const Sequence *q = sequence(s, seq[i]);
        int room = tail_room(s, q);
        if (n > room) needed += (n - room + SESSION_PAGE - 1) / SESSION_PAGE * SESSION_PAGE;
        if (q->length + (int64_t)n <= max) continue;
        err_set(err, "%lld tokens are more than the model's context of %d", (long long)q->length + n, max);
        return err_hint(err, "shorten the text, or lower max_pixels so that images need fewer tokens");
    }
    if (needed <= free_rows) return 0;
    err_set(err, "the KV cache is full: %d of %d rows are free, %lld are needed", free_rows, s->rows,
            (long long)needed);
    return err_hint(err, "decode fewer sequences together, or make the prompts or answers shorter");
}

/* ---- forward ---------------------------------------------------------------------------------------------------- */

/* One run of the decoder over what n_seq sequences have just been given rows for. */
typedef struct Run {
    const int *seq;
    int n_seq, nq; /* nq new tokens in every sequence */
    const int *ids, *pos;
    int *row;       /* [n_seq * nq] cache rows */
    const int *out; /* [n_seq] rows whose logits are wanted */
    const Batch *b; /* its images; NULL: text only */
} Run;

static const Attn *run_plan(const Session *s, const Run *r, Arena *a)
{
    int n_span = 0;
    for (int i = 0; i < r->n_seq; i++) n_span += sequence(s, r->seq[i])->span.n;
    AttnSeg *seg = arena_alloc(a, sizeof *seg * (size_t)r->n_seq);
    Span *span = arena_alloc(a, sizeof *span * (size_t)n_span);
    int *group = arena_alloc(a, sizeof *group * 2);
    Attn *attn = arena_alloc(a, sizeof *attn);
    group[0] = 0;
    group[1] = r->n_seq;
    for (int i = 0, at = 0; i < r->n_seq; i++) {
        const Sequence *q = sequence(s, r->seq[i]);
        memcpy(span + at, q->span.at, sizeof *span * (size_t)q->span.n);
        seg[i] = (AttnSeg){i * r->nq, r->nq, at, q->span.n};
        at += q->span.n;
    }
    const ModelConfig *c = &s->e->model->cfg;
    *attn =
        (Attn){.plan = {seg, span, r->n_seq, true, group, 1}, .h = c->h, .hk = c->hk, .hd = c->hd, .kv_row = r->row};
    return attn;
}

/* Runs it and keeps the logits; the caller releases the step arena. */
static const float *run_forward(Session *s, const Run *r)
{
    Engine *e = s->e;
    const Model *m = e->model;
    CHECK(!e->logp, "session: a scored batch waits for engine_release");
    Ctx plain = {.k = &m->dev.k, .arena = &e->step, .lora = true}, cached = plain;
    cached.kv = s->kv;
    Tensor *feats = r->b ? engine_vision(e, &plain, r->b) : NULL;
    Tensor *x = model_decode(&cached, m, r->ids, r->pos, r->n_seq * r->nq, feats, run_plan(s, r, &e->step));
    Tensor *logits = model_logits(&plain, m, op_gather(&plain, x, r->out, r->n_seq));
    if (s->logits_cap < tensor_bytes(logits)) {
        s->logits_cap = tensor_bytes(logits);
        s->logits = xrealloc(s->logits, s->logits_cap);
    }
    memcpy(s->logits, logits->data, tensor_bytes(logits));
    return s->logits;
}

/* pos [3][n] = b's, moved to the sequence's end; the sequence's end moves on behind them. */
static void place_batch(Sequence *q, int *pos, const Batch *b)
{
    int max = 0;
    for (int i = 0; i < 3 * b->n; i++) {
        pos[i] = q->next_pos + b->pos[i];
        if (pos[i] > max) max = pos[i];
    }
    q->next_pos = max + 1;
}

const float *session_extend(Session *s, int seq, const Batch *b, Err *err)
{
    CHECK(b->n_seg == 1 && b->n > 0, "session_extend: %d segments, %d rows", b->n_seg, b->n);
    if (check_room(s, &seq, 1, b->n, err)) return NULL;
    Arena *a = &s->e->step;
    size_t mark = arena_mark(a);
    int *row = arena_alloc(a, sizeof *row * (size_t)b->n), *pos = arena_alloc(a, sizeof *pos * 3 * (size_t)b->n);
    place_batch(sequence(s, seq), pos, b);
    take_rows(s, sequence(s, seq), b->n, row);
    const float *logits = run_forward(s, &(Run){&seq, 1, b->n, b->ids, pos, row, (int[]){b->n - 1}, b});
    arena_release(a, mark);
    return logits;
}

const float *session_step(Session *s, const int *seq, const int *id, int n, Err *err)
{
    if (check_room(s, seq, n, 1, err)) return NULL;
    Arena *a = &s->e->step;
    size_t mark = arena_mark(a), bytes = sizeof(int) * (size_t)n;
    int *row = arena_alloc(a, bytes), *out = arena_alloc(a, bytes), *pos = arena_alloc(a, 3 * bytes);
    for (int i = 0; i < n; i++) {
        Sequence *q = sequence(s, seq[i]);
        take_rows(s, q, 1, row + i);
        pos[i] = pos[n + i] = pos[2 * n + i] = q->next_pos++;
        out[i] = i;
    }
    const float *logits = run_forward(s, &(Run){seq, n, 1, id, pos, row, out, NULL});
    arena_release(a, mark);
    return logits;
}
