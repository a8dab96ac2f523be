#include "synth/prefer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/map.h"
#include "base/rng.h"
#include "synth/json_cases.h"

const char *const PREFER_DROP_NAME[PREFER_DROPS] = {"few_answers",          "too_easy",       "too_hard",
                                                    "answered_blind",       "no_good_answer", "no_bad_answer",
                                                    "unbalanced_in_length", "surplus"};

/* ---- one case ---------------------------------------------------------------------------------------------------- */

static int criteria_count(unsigned mask)
{
    int n = 0;
    for (int i = 0; i < MMRP_CRITERIA; i++) n += mask >> i & 1;
    return n;
}

static bool may_be_chosen(const MmrpScore *s, unsigned mask)
{
    for (int i = 0; i < MMRP_CRITERIA; i++)
        if ((mask >> i & 1) && s->score[i] < 1) return false;
    return s->correct && mmrp_sum(s, mask) >= 2 * criteria_count(mask) - 1;
}

static bool alike_in_length(const Candidate *a, const Candidate *b, double ratio)
{
    int d = abs(a->length - b->length), most = a->length > b->length ? a->length : b->length;
    return d <= ratio * most;
}

/* How well a pair teaches: the larger gap, then the more alike in length. */
static double worth(const Candidate *good, const Candidate *bad, unsigned mask)
{
    double longer = fmax(1, fmax(good->length, bad->length));
    return mmrp_sum(&good->score, mask) - mmrp_sum(&bad->score, mask) - 0.9 * abs(good->length - bad->length) / longer;
}

/* The best pair of a case whose rejected answer is right (or wrong); false where there is none. */
static bool best_pair(PreferPair *best, const CandidateCase *c, bool right, const PreferOptions *o)
{
    double most = -1;
    for (int g = 0; g < c->answer.n; g++) {
        const Candidate *good = &c->answer.at[g];
        if (!may_be_chosen(&good->score, o->criteria)) continue;
        for (int b = 0; b < c->answer.n; b++) {
            const Candidate *bad = &c->answer.at[b];
            int gap = mmrp_sum(&good->score, o->criteria) - mmrp_sum(&bad->score, o->criteria);
            if (bad->score.correct != right || gap < o->gap || !alike_in_length(good, bad, o->length_ratio)) continue;
            double w = worth(good, bad, o->criteria);
            if (w > most) most = w, *best = (PreferPair){0, g, b, right};
        }
    }
    return most >= 0;
}

static bool has_good(const CandidateCase *c, unsigned mask)
{
    for (int i = 0; i < c->answer.n; i++)
        if (may_be_chosen(&c->answer.at[i].score, mask)) return true;
    return false;
}

static double pass_rate(const CandidateCase *c)
{
    return c->answer.n ? (double)candidates_right(c) / c->answer.n : 0;
}

/* Why the case is left out; PREFER_DROPS: it is not. */
static PreferDrop reason_against(const CandidateCase *c, const CandidateCase *blind, const PreferOptions *o)
{
    double pass = pass_rate(c);
    if (c->answer.n < 2) return DROP_FEW;
    if (pass > o->max_pass) return DROP_EASY;
    if (pass < o->min_pass) return DROP_HARD;
    if (blind && blind->answer.n && pass_rate(blind) >= o->max_blind) return DROP_BLIND;
    return has_good(c, o->criteria) ? PREFER_DROPS : DROP_NO_GOOD;
}

/* ---- all cases --------------------------------------------------------------------------------------------------- */

/* A case's two best pairs. */
typedef struct Offer {
    PreferPair pair[2]; /* the rejected answer wrong, right */
    bool has[2];
} Offer;

static void shuffle(PreferPair *pair, int n, uint64_t seed)
{
    Rng rng = rng_at(seed, RNG_SUBSET, 0, 0, 0);
    for (int i = n - 1; i > 0; i--) {
        int k = (int)rng_below(&rng, (uint32_t)i + 1);
        PreferPair p = pair[i];
        pair[i] = pair[k], pair[k] = p;
    }
}

/* One pair a case: wrong answers, and right ones with bad reasoning until they have their share. */
static void take_offers(PreferResult *r, const Offer *offer, int offers, double share)
{
    int right = 0;
    for (int i = 0; i < offers; i++) right += !offer[i].has[0];
    for (int i = 0; i < offers; i++) {
        bool more = offer[i].has[0] && offer[i].has[1] && right < share * offers;
        right += more;
        r->pair[r->n++] = offer[i].pair[more || !offer[i].has[0]];
    }
}

static int length_of(const Candidates *c, const PreferPair *p, bool rejected)
{
    return c->at[p->item].answer.at[rejected ? p->rejected : p->chosen].length;
}

static void mean_lengths(PreferResult *r, const Candidates *c)
{
    r->length[0] = r->length[1] = 0;
    for (int i = 0; i < r->n; i++)
        for (int k = 0; k < 2; k++) r->length[k] += (double)length_of(c, &r->pair[i], k) / r->n;
}

/* Leaves out the pairs that pull the mean lengths apart, the worst first. */
static void balance_lengths(PreferResult *r, const Candidates *c, double most)
{
    for (mean_lengths(r, c); r->n > 1; mean_lengths(r, c)) {
        double apart = r->length[0] - r->length[1];
        if (fabs(apart) <= most * r->length[1]) return;
        int worst = 0, pull = 0;
        for (int i = 0; i < r->n; i++) {
            int d = length_of(c, &r->pair[i], false) - length_of(c, &r->pair[i], true);
            if (apart < 0) d = -d;
            if (d > pull) pull = d, worst = i;
        }
        r->pair[worst] = r->pair[--r->n];
        r->dropped[DROP_LENGTH]++;
    }
}

static void mean_scores(PreferResult *r, const Candidates *c)
{
    for (int i = 0; i < r->n; i++) {
        const PreferPair *p = &r->pair[i];
        const Candidate *a = c->at[p->item].answer.at;
        for (int k = 0; k < MMRP_CRITERIA; k++) {
            r->mean[0][k] += (double)a[p->chosen].score.score[k] / r->n;
            r->mean[1][k] += (double)a[p->rejected].score.score[k] / r->n;
        }
    }
}

static const CandidateCase *same_case(const Candidates *blind, const Map *by_id, const CandidateCase *c)
{
    int64_t at;
    if (!blind || !map_get_str(by_id, json_string_value(json_object_get(c->row, "id")), &at)) return NULL;
    return &blind->at[at];
}

static int collect_offers(Offer *offer, PreferResult *r, const Candidates *c, const Candidates *blind,
                          const PreferOptions *o)
{
    Map by_id = {0};
    int n = 0;
    for (int i = 0; blind && i < blind->n; i++)
        map_set_str(&by_id, json_string_value(json_object_get(blind->at[i].row, "id")), i);
    for (int i = 0; i < c->n; i++) {
        Offer f = {0};
        PreferDrop why = reason_against(&c->at[i], same_case(blind, &by_id, &c->at[i]), o);
        for (int right = 0; why == PREFER_DROPS && right < 2; right++) {
            f.has[right] = best_pair(&f.pair[right], &c->at[i], right, o);
            f.pair[right].item = i;
        }
        if (why == PREFER_DROPS && !f.has[0] && !f.has[1]) why = DROP_NO_BAD;
        if (why == PREFER_DROPS) offer[n++] = f;
        else r->dropped[why]++;
    }
    map_release(&by_id);
    return n;
}

void prefer_pairs(PreferResult *r, const Candidates *c, const Candidates *blind, const PreferOptions *o)
{
    Offer *offer = xcalloc((size_t)c->n + 1, sizeof *offer);
    *r = (PreferResult){.cases = c->n, .pair = xcalloc((size_t)c->n + 1, sizeof *r->pair)};
    take_offers(r, offer, collect_offers(offer, r, c, blind, o), o->bad_reasoning);
    free(offer);
    shuffle(r->pair, r->n, o->seed);
    if (r->n > o->n) {
        r->dropped[DROP_SURPLUS] = r->n - o->n;
        r->n = o->n;
    }
    balance_lengths(r, c, o->length_balance);
    mean_scores(r, c);
}

void prefer_release(PreferResult *r)
{
    free(r->pair);
    *r = (PreferResult){0};
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* Pictures' names are relative to the data file; here they become whole. */
static json_t *pictures_of(const CandidateCase *c, const char *folder)
{
    json_t *list = json_array(), *image;
    size_t i;
    json_array_foreach(json_object_get(c->row, "images"), i, image)
    {
        char *path = path_join(folder, json_string_value(image));
        json_array_append_new(list, json_string(path));
        free(path);
    }
    return list;
}

static json_t *pair_row(const PreferPair *p, const CandidateCase *c, const char *folder)
{
    const Candidate *good = &c->answer.at[p->chosen], *bad = &c->answer.at[p->rejected];
    const json_t *question = json_object_get(c->row, "question");
    const char *prompt = c->prompt ? c->prompt : json_string_value(question);
    return json_pack("{s:O, s:[{s:s, s:s}], s:o, s:s, s:s, s:s, s:{s:o, s:o}}", "id", json_object_get(c->row, "id"),
                     "messages", "role", "user", "content", prompt ? prompt : "", "images", pictures_of(c, folder),
                     "chosen", good->text, "rejected", bad->text, "rejected_for",
                     p->right ? "bad reasoning" : "wrong answer", "mmrp", "chosen", candidate_scores(good), "rejected",
                     candidate_scores(bad));
}

static json_t *report_of(const PreferResult *r)
{
    json_t *dropped = json_object(), *mean[2] = {json_object(), json_object()};
    int right = 0;
    for (int i = 0; i < r->n; i++) right += r->pair[i].right;
    for (int i = 0; i < PREFER_DROPS; i++)
        json_object_set_new(dropped, PREFER_DROP_NAME[i], json_integer(r->dropped[i]));
    for (int k = 0; k < MMRP_CRITERIA; k++)
        for (int s = 0; s < 2; s++) json_object_set_new(mean[s], MMRP_NAME[k], json_real(r->mean[s][k]));
    return json_pack("{s:i, s:i, s:i, s:o, s:{s:f, s:f}, s:{s:o, s:o}}", "cases", r->cases, "pairs", r->n,
                     "rejected_for_bad_reasoning", right, "dropped", dropped, "mean_length", "chosen", r->length[0],
                     "rejected", r->length[1], "mean_mmrp", "chosen", mean[0], "rejected", mean[1]);
}

int prefer_write(const char *dir, const PreferResult *r, const Candidates *c, Err *err)
{
    FileWriter w;
    if (json_lines_create(&w, dir, "data.jsonl", err)) return -1;
    for (int i = 0; i < r->n; i++) write_json_line(&w, pair_row(&r->pair[i], &c->at[r->pair[i].item], c->folder));
    if (file_commit(&w, err)) return -1;
    return json_save(dir, "report.json", report_of(r), err);
}
