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
    Arena logits; /* of the last call */
};

/* ---- lifetime --------------------------------------------------------------------------------------------------- */

/* Keys or values of a layer. */
static size_t layer_row_bytes(const Model *m)
{
    return (size_t)m->cfg.hk * (size_t)m->cfg.hd * dtype_size(m->dev.k.dtype);
}

size_t session_row_bytes(const Model *m)
{
    return 2 * (size_t)m->cfg.l * layer_row_bytes(m);
}

int session_affordable_rows(const Engine *e, int64_t wanted)
{
    int64_t most = INT64_C(1) << 26, memory = (int64_t)(memory_available() / 2 / session_row_bytes(e->model));
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
    size_t layer = layer_row_bytes(m) * (size_t)s->rows + 64; /* 64: the arena's alignment */
    arena_init(&s->logits, "logits", (size_t)1 << 40);
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
    arena_free(&s->logits);
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

/* Takes rows [start, start + len) of another sequence, and a share in their pages. */
static void share_rows(Session *s, Sequence *to, int start, int len)
{
    vec_push(&to->span, ((Span){start, len}));
    to->length += len;
    for (int p = start / SESSION_PAGE; p <= (start + len - 1) / SESSION_PAGE; p++) {
        if (to->page.n && to->page.at[to->page.n - 1] == p) continue;
        vec_push(&to->page, p);
        s->users[p]++;
    }
}

int session_fork_rows(Session *s, int seq, int rows)
{
    int child = session_open(s);
    const Sequence *from = sequence(s, seq);
    Sequence *to = sequence(s, child);
    CHECK(rows >= 0 && rows <= from->length, "session: %d rows of %d", rows, from->length);
    for (int i = 0; to->length < rows; i++) {
        int left = rows - to->length, len = from->span.at[i].len;
        share_rows(s, to, from->span.at[i].start, len < left ? len : left);
    }
    return child;
}

int session_fork(Session *s, int seq)
{
    int child = session_fork_rows(s, seq, sequence(s, seq)->length);
    sequence(s, child)->next_pos = sequence(s, seq)->next_pos;
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
    const int *out; /* [n_seq] rows whose logits are wanted; NULL: none */
    Tensor *feats;  /* image features; NULL: text only */
    bool decoding;  /* weights in fewer bits */
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

/* Runs it; the caller releases the step arena, the logits stay until the next run. */
static const float *run_forward(Session *s, const Run *r)
{
    Engine *e = s->e;
    const Model *m = e->model;
    CHECK(!e->logp, "session: a scored batch waits for engine_release");
    Ctx c = {.k = &m->dev.k, .arena = &e->step, .lora = true, .decoding = r->decoding, .kv = s->kv};
    arena_release(&s->logits, 0);
    Tensor *x = model_decode(&c, m, r->ids, r->pos, r->n_seq * r->nq, r->feats, run_plan(s, r, &e->step));
    if (!r->out) return NULL;
    c.kv = NULL;
    x = op_gather(&c, x, r->out, r->n_seq);
    c.arena = &s->logits;
    return model_logits(&c, m, x)->data;
}

/* ---- a batch ---------------------------------------------------------------------------------------------------- */

static int features_of(const Model *m, const BatchImage *image)
{
    return image->grid_h * image->grid_w / (m->cfg.vision.merge * m->cfg.vision.merge);
}

/* Features of the batch's images but the first `skip`, in memory of their own. */
static Tensor image_features(Session *s, const Batch *b, int skip)
{
    Engine *e = s->e;
    size_t mark = arena_mark(&e->step);
    Ctx c = {.k = &e->model->dev.k, .arena = &e->step, .lora = true};
    int first = b->image[skip].first_patch;
    Batch rest = *b;
    rest.n_images = b->n_images - skip;
    rest.image = arena_alloc(&e->step, sizeof *rest.image * (size_t)rest.n_images);
    memcpy(rest.image, b->image + skip, sizeof *rest.image * (size_t)rest.n_images);
    for (int i = 0; i < rest.n_images; i++) rest.image[i].first_patch -= first;
    if (b->pixels) rest.pixels = b->pixels + (size_t)first * (size_t)b->patch_dim;
    rest.n_patches = b->n_patches - first;
    Tensor feats = *engine_vision(e, &c, &rest);
    void *copy = xmalloc(tensor_bytes(&feats));
    memcpy(copy, feats.data, tensor_bytes(&feats));
    feats.data = copy;
    arena_release(&e->step, mark);
    return feats;
}

void session_begin(Session *s, Extension *x, int seq, const Batch *b, int have)
{
    const Sequence *q = sequence(s, seq);
    CHECK(b->n_seg == 1 && have < b->n && (!have || q->length == have),
          "session_begin: %d segments, %d of %d rows in a sequence of %d", b->n_seg, have, b->n, q->length);
    *x = (Extension){.seq = seq, .b = b, .next = have, .first_pos = have ? 0 : q->next_pos};
    int images = 0, before = 0;
    for (int i = 0; i < have; i++) before += b->ids[i] < 0;
    while (x->first_feat < before) x->first_feat += features_of(s->e->model, &b->image[images++]);
    CHECK(x->first_feat == before, "session_begin: a part of image %d", images - 1);
    if (images < b->n_images) x->feats = image_features(s, b, images);
}

void session_end(Extension *x)
{
    free(x->feats.data);
    *x = (Extension){0};
}

/* ids [n] and pos [3][n] of the next n rows; the sequence's end moves on behind them. */
static void place_rows(Sequence *q, const Extension *x, int n, int *ids, int *pos)
{
    const Batch *b = x->b;
    for (int i = 0; i < n; i++) {
        int id = b->ids[x->next + i];
        ids[i] = id < 0 ? id + x->first_feat : id;
    }
    for (int axis = 0; axis < 3; axis++)
        for (int i = 0; i < n; i++) pos[axis * n + i] = x->first_pos + b->pos[axis * b->n + x->next + i];
    for (int axis = 0; axis < 3; axis++)
        for (int i = 0; i < x->next + n; i++) {
            int after = x->first_pos + b->pos[axis * b->n + i] + 1;
            if (after > q->next_pos) q->next_pos = after;
        }
}

int session_advance(Session *s, Extension *x, int n, const float **logits, Err *err)
{
    int left = x->b->n - x->next;
    if (n > left) n = left;
    if (check_room(s, &x->seq, 1, n, err)) return -1;
    Arena *a = &s->e->step;
    size_t mark = arena_mark(a), bytes = sizeof(int) * (size_t)n;
    int *ids = arena_alloc(a, bytes), *pos = arena_alloc(a, 3 * bytes), *row = arena_alloc(a, bytes), last = n - 1;
    place_rows(sequence(s, x->seq), x, n, ids, pos);
    take_rows(s, sequence(s, x->seq), n, row);
    Run r = {.seq = &x->seq, .n_seq = 1, .nq = n, .ids = ids, .pos = pos, .row = row};
    if (n == left) r.out = &last;
    if (x->feats.data) r.feats = &x->feats;
    *logits = run_forward(s, &r);
    arena_release(a, mark);
    x->next += n;
    return n < left;
}

const float *session_extend(Session *s, int seq, const Batch *b, Err *err)
{
    const float *logits;
    Extension x;
    if (check_room(s, &seq, 1, b->n, err)) return NULL;
    session_begin(s, &x, seq, b, 0);
    int rc = session_advance(s, &x, b->n, &logits, err);
    session_end(&x);
    return rc ? NULL : logits;
}

/* ---- a token ---------------------------------------------------------------------------------------------------- */

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
    Run r = {.seq = seq, .n_seq = n, .nq = 1, .ids = id, .pos = pos, .row = row, .out = out, .decoding = true};
    const float *logits = run_forward(s, &r);
    arena_release(a, mark);
    return logits;
}
