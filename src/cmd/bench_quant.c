/* osler bench quant: what log-probabilities lose where weights are read from their copies in fewer bits. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/bench.h"
#include "cmd/model_opts.h"
#include "infer/score.h"

typedef VEC(float) Logps;

/* Log-probabilities with two kinds of weights, of the same targets. */
typedef struct Loss {
    int64_t n;
    double sum, square, worst; /* of the differences' magnitudes */
    double plain, copy;        /* sums of log-probabilities */
} Loss;

static Loss loss_of(const Logps *plain, const Logps *copy)
{
    Loss l = {.n = plain->n};
    for (int i = 0; i < plain->n; i++) {
        double d = fabs((double)copy->at[i] - (double)plain->at[i]);
        l.sum += d;
        l.square += d * d;
        l.worst = fmax(l.worst, d);
        l.plain += (double)plain->at[i];
        l.copy += (double)copy->at[i];
    }
    return l;
}

static void print_loss(const BenchOpts *o, const char *name, const Loss *l, double bytes)
{
    double n = (double)l->n;
    if (o->json) {
        json_t *row = json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "weights", name, "tokens", (json_int_t)l->n,
                                "mean", l->sum / n, "rms", sqrt(l->square / n), "max", l->worst, "logp", l->copy / n,
                                "logp_plain", l->plain / n, "weight_bytes", bytes);
        bench_print_row(row);
        return;
    }
    printf("%s: |difference of logp| mean %.5f, rms %.5f, max %.4f over %lld tokens; mean logp %.4f, was %.4f; "
           "%.2f GB a token\n",
           name, l->sum / n, sqrt(l->square / n), l->worst, (long long)l->n, l->copy / n, l->plain / n, bytes * 1e-9);
}

static int keep_row(void *arg, const SampleScore *s, Err *err)
{
    (void)err;
    Logps *all = arg;
    for (int i = 0; i < s->n_targets; i++) vec_push(all, s->logp[i]);
    return 0;
}

/* Of the dataset, or of random answers where there is none. */
static int score_all(Engine *e, const Dataset *d, Logps *to, Err *err)
{
    static const int ANSWERS[] = {128, 128, 128, 128};
    if (d) return score_dataset(e, d, &(ScoreOptions){.budget = 2048}, keep_row, to, err);
    Batch *b = bench_batch(&e->model->cfg, ANSWERS, 4, false);
    const float *logp = engine_score(e, b, false, true, NULL);
    for (int i = 0; i < b->n_targets; i++) vec_push(to, logp[i]);
    engine_release(e);
    batch_free(b);
    return 0;
}

static int compare(Engine *e, const BenchOpts *o, const Dataset *d, Err *err)
{
    static const char *const NAME[] = {"bf16", "int8", "int4"};
    Logps plain = {0}, copy = {0};
    int rc = score_all(e, d, &plain, err);
    for (int w = DECODE_INT8; w <= DECODE_INT4 && rc == 0; w++) {
        copy.n = 0;
        model_quantise(e->model, (DecodeWeights)w);
        e->ctx.decoding = true;
        rc = score_all(e, d, &copy, err);
        e->ctx.decoding = false;
        if (rc) break;
        Loss l = loss_of(&plain, &copy);
        print_loss(o, NAME[w], &l, (double)model_decode_bytes(e->model));
    }
    if (rc == 0 && !plain.n) rc = err_set(err, "there are no target tokens");
    free(plain.at);
    free(copy.at);
    return rc;
}

static int open_random(Engine *e, const BenchOpts *o, Err *err)
{
    ModelConfig cfg;
    const ModelOptions mo = {.dtype = common_dtype(&o->common)};
    if (config_load_file(&cfg, o->config, err)) return -1;
    engine_adopt(e, model_random(&cfg, &mo, (uint64_t)o->common.seed), false);
    return 0;
}

int bench_quant(const BenchOpts *o, Err *err)
{
    Dataset d;
    Engine e;
    if (!o->model) {
        if (open_random(&e, o, err)) return -1;
        int rc = compare(&e, o, NULL, err);
        engine_close(&e);
        return rc;
    }
    const EngineOptions eo = engine_options(&o->common, &(ModelOpts){.dir = o->model});
    if (open_dataset(&d, &o->data, (uint64_t)o->common.seed, err)) return -1;
    int rc = engine_open(&e, &eo, err);
    if (rc == 0) {
        rc = compare(&e, o, &d, err);
        engine_close(&e);
    }
    dataset_release(&d);
    return rc;
}
