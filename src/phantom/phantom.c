#include "phantom/phantom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "phantom/deterministic.h"
#include "phantom/family.h"
#include "reward/answer_prompt.h"

const char *const SPLIT_NAME[N_SPLITS] = {"base", "sft", "text", "pref", "rl", "dev", "test", "test-shift"};
const char *const KIND_NAME[N_KINDS] = {"choice", "yesno", "short", "number"};
const char *const STYLE_NAME[N_STYLES] = {"plain",     "orchestrated", "differential",
                                          "intuitive", "analytical",   "bayesian"};

/* Streams of random numbers of one case. */
enum { STREAM_TRUTH, STREAM_PICTURE, STREAM_WORDS };

static Rng stream(const CaseSpec *s, uint32_t purpose)
{
    /* the family by its name, so that a new family changes no case of the others */
    uint64_t name = hash_bytes(HASH_INIT, s->family->name, strlen(s->family->name));
    uint32_t level = (uint32_t)s->level;
    return rng_at(s->seed, RNG_PHANTOM, (uint32_t)(name ^ name >> 32), (uint32_t)s->split << 16 | level << 8 | purpose,
                  s->number);
}

int case_check(const CaseSpec *s, Err *err)
{
    if (s->size < 112 || s->size > 896 || s->size % 28)
        return err_set(err, "size %d is not a multiple of 28 from 112 to 896", s->size);
    for (int i = 0; s->level && s->family && i <= s->family->asks; i++) {
        if (i == s->family->asks) return err_set(err, "%s has no question of level %d", s->family->name, s->level);
        if (s->family->ask[i].level == s->level) break;
    }
    return 0;
}

/* ---- the question ----------------------------------------------------------------------------------------------- */

static const Ask *pick_ask(const Family *f, int level, Rng *rng)
{
    bool has[5] = {false};
    int levels[4], n = 0;
    for (int i = 0; i < f->asks; i++) has[f->ask[i].level] = true;
    for (int l = 1; l <= 4; l++)
        if (has[l]) levels[n++] = l;
    int want = levels[rng_below(rng, (uint32_t)n)];
    if (level) want = level;
    int fits = 0;
    for (int i = 0; i < f->asks; i++) fits += f->ask[i].level == want;
    CHECK(fits > 0, "%s has no question of level %d", f->name, want);
    int k = (int)rng_below(rng, (uint32_t)fits);
    for (int i = 0; i < f->asks; i++)
        if (f->ask[i].level == want && k-- == 0) return &f->ask[i];
    return NULL;
}

static int pick_group(unsigned groups, Rng *rng)
{
    int may[MAX_GROUPS], n = 0;
    for (int g = 0; g < MAX_GROUPS; g++)
        if (groups >> g & 1) may[n++] = g;
    return may[rng_below(rng, (uint32_t)n)];
}

static bool asks_value(const Ask *ask)
{
    return ask->kind == ASK_NUMBER || (ask->kind == ASK_CHOICE && !ask->answer[0]);
}

static const char *say_number(Case *c, const char *format, double value)
{
    char text[40];
    int (*print)(char *, size_t, const char *, ...) = snprintf; /* the format is the family's own */
    print(text, sizeof text, format, value);
    return case_say(c, "%s", text);
}

/* Four values, `step` apart; the right one has any rank that leaves the others above zero. */
static void value_options(Case *c, const Ask *ask, double value, Rng *rng)
{
    int most = det_floor(value / ask->step - 1e-9), rank = (int)rng_below(rng, (uint32_t)(most < 3 ? most + 1 : 4));
    for (int k = 0; k < 4; k++) c->option[k] = say_number(c, ask->format, value + (double)(k - rank) * ask->step);
    c->options = 4;
    c->answer = case_say(c, "%c", 'A' + rank);
    c->answer_text = c->option[rank];
}

static void word_options(Case *c, const Ask *ask, int class, Rng *rng)
{
    const char *text[MAX_CLASSES + MAX_OPTIONS];
    int n = 0;
    for (int k = 0; k < ask->classes; k++) text[n++] = ask->answer[k];
    for (int k = 0; k < MAX_OPTIONS && ask->extra[k]; k++) text[n++] = ask->extra[k];
    CHECK(n >= 2 && n <= MAX_OPTIONS, "%s has %d options", ask->name, n);
    c->options = n;
    for (int i = 0; i < n; i++) {
        int k = (int)rng_below(rng, (uint32_t)(n - i));
        c->option[i] = text[k];
        if (text[k] == ask->answer[class]) c->answer = case_say(c, "%c", 'A' + i);
        text[k] = text[n - i - 1];
    }
    c->answer_text = ask->answer[class];
}

static void make_answer(Case *c, const Ask *ask, const Truth *t, int class, Rng *rng)
{
    static const char *const YES_NO[] = {"yes", "no"};
    double value = t->q[0][ask->quantity];
    c->tolerance = ask->tolerance;
    if (ask->kind == ASK_CHOICE && asks_value(ask)) value_options(c, ask, value, rng);
    else if (ask->kind == ASK_CHOICE) word_options(c, ask, class, rng);
    else if (ask->kind == ASK_NUMBER) c->answer = c->answer_text = say_number(c, ask->format, value);
    else c->answer = c->answer_text = ask->kind == ASK_YESNO ? YES_NO[class] : ask->answer[class];
}

/* "On the first chest film: cardiothoracic ratio 0.57, apex of the heart to the left." */
static void add_findings(Buf *b, const Case *c)
{
    for (int i = 0; i < c->findings; i++) {
        const Finding *f = &c->finding[i];
        bool first = i == 0 || f->image != f[-1].image;
        if (first && *f->label) buf_printf(b, "%sOn the %s: ", b->len ? " " : "", f->label);
        else if (first) buf_str(b, "Findings: ");
        bool last = i + 1 == c->findings || f[1].image != f->image;
        buf_printf(b, "%s%s", f->text, last ? "." : ", ");
    }
}

static void make_question(Case *c, const Ask *ask, bool twin, Rng *rng)
{
    Buf b = {0}, found = {0};
    buf_str(&b, c->vignette);
    if (twin) {
        add_findings(&found, c);
        buf_printf(&b, "%s%s", b.len ? " " : "", found.data ? found.data : "");
    }
    buf_printf(&b, "%s%s", b.len ? " " : "", draw_phrase(rng, ask->phrase));
    c->question = case_say(c, "%s", b.data);
    buf_release(&b);
    buf_release(&found);
}

/* ---- the case --------------------------------------------------------------------------------------------------- */

static void make_id(Case *c, const CaseSpec *s)
{
    char size[16] = "", level[8] = "";
    if (s->size != 112) snprintf(size, sizeof size, "-%dpx", s->size);
    if (s->level) snprintf(level, sizeof level, "-l%d", s->level);
    snprintf(c->id, sizeof c->id, "%s-%s-%06u-s%llu%s%s%s%s", s->family->name, SPLIT_NAME[s->split], s->number,
             (unsigned long long)s->seed, level, s->shift && s->split != SPLIT_TEST_SHIFT ? "-shift" : "",
             s->twin && s->split != SPLIT_TEXT ? "-twin" : "", size);
}

static void make_images(Case *c, const CaseSpec *s, const Truth *t)
{
    Rng rng = stream(s, STREAM_PICTURE);
    c->images = t->images;
    for (int i = 0; i < t->images; i++) {
        Scanner scanner = scanner_draw(&rng, s->shift);
        Canvas canvas;
        canvas_init(&canvas, s->size, s->family->channels, GRAY(0));
        s->family->render(&canvas, t, i, &scanner, &rng);
        c->image[i] = (Image){s->size, s->size, xmalloc(3 * (size_t)s->size * (size_t)s->size)};
        canvas_rgb(&canvas, c->image[i].rgb);
        canvas_release(&canvas);
    }
}

void case_make(Case *c, const CaseSpec *spec)
{
    CaseSpec s = *spec;
    const Family *f = s.family;
    s.shift = s.shift || s.split == SPLIT_TEST_SHIFT;
    s.twin = s.twin || s.split == SPLIT_TEXT;
    *c = (Case){.family = f};
    make_id(c, &s);

    Rng rng = stream(&s, STREAM_TRUTH);
    const Ask *ask = pick_ask(f, s.level, &rng);
    Truth t = {.images = ask->images, .group = pick_group(ask->groups, &rng)};
    int class = (int)rng_below(&rng, (uint32_t)ask->classes);
    f->draw(&t, ask, class, &rng);
    CHECK(asks_value(ask) || f->judge(&t, ask) == class, "%s: %s is judged as class %d, drawn as %d", c->id, ask->name,
          f->judge(&t, ask), class);
    if (!s.twin) make_images(c, &s, &t);

    rng = stream(&s, STREAM_WORDS);
    c->ask = ask->name, c->level = ask->level, c->kind = ask->kind;
    c->group = f->group[t.group].name;
    c->images = t.images; /* for the labels of the findings */
    f->describe(c, &t, &rng);
    make_answer(c, ask, &t, class, &rng);
    bool bare = ask->level == 1 && rng_below(&rng, 2);
    c->vignette = bare ? "" : vignette_make(c, &f->group[t.group], &rng);
    make_question(c, ask, s.twin, &rng);
    Thought h = {0};
    f->think(c, &h, &t, ask, class);
    reasoning_make(c, &h, &rng);
    if (s.twin) c->images = 0;
}

void case_release(Case *c)
{
    for (int i = 0; i < MAX_IMAGES; i++) free(c->image[i].rgb);
    for (int i = 0; i < c->text.n; i++) free(c->text.at[i]);
    free(c->text.at);
    *c = (Case){0};
}

void case_prompt(Buf *out, const Case *c, bool think)
{
    Question q = {.kind = (AnswerKind)answer_kind_parse(KIND_NAME[c->kind]), .question = c->question};
    for (int i = 0; i < c->options; i++) q.option[q.n_options++] = c->option[i];
    answer_prompt(out, &q, c->images, think ? PROMPT_THINK : PROMPT_DIRECT);
}
