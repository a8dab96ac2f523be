/*
 * osler.h - train and run Qwen2.5-VL models from C.
 *
 *   OslerError e;
 *   OslerModel *m = osler_open("/models/Qwen2.5-VL-3B-Instruct", NULL, &e);
 *   if (!m) { fprintf(stderr, "%s\n", e.message); return 1; }
 *
 *   OslerMessage msg[] = {{"user", "<image>Is the heart enlarged?"}};
 *   const char *image[] = {"chest.dcm#window=40,400"};
 *   OslerConversation c = {msg, 1, image, 1};
 *   char *answer = osler_chat(m, &c, NULL, NULL, NULL, &e);
 *   puts(answer);
 *   osler_free(answer);
 *   osler_close(m);
 *
 * Ownership: what a function returns as `char *` or `float *` is the caller's, to be released with osler_free; every
 * pointer passed in stays the caller's and is not kept after the call.
 *
 * Errors: functions that can fail return NULL or -1 and fill *error; files and inputs never abort the process.  A
 * message names the file and the place, a hint says what to do ("" where there is none).
 *
 * Threads: a model is used by one thread at a time.  Different models may be used by different threads; the thread that
 * opened the first one has the process's worker threads, the others compute alone.
 *
 * Image references and conversations are those of the command line (docs/formats.md): JPEG, PNG, WebP, TIFF, DICOM with
 * `#frame=K&window=C,W`, NIfTI with `#axial=K`; one `<image>` marker per image.
 */
#ifndef OSLER_H
#define OSLER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct OslerModel OslerModel;

typedef struct OslerError {
    char message[1024];
    char hint[512];
} OslerError;

typedef enum OslerTrain {
    OSLER_TRAIN_NOTHING, /* chat and score */
    OSLER_TRAIN_LORA,    /* a low-rank adapter: `adapter` continued, or a fresh one */
    OSLER_TRAIN_LANGUAGE /* the language model in full; vision tower and merger stay as they are */
} OslerTrain;

/* Zero means the default everywhere. */
typedef struct OslerOptions {
    const char *adapter; /* PEFT adapter directory; NULL: none */
    int f32;             /* compute in f32 instead of bf16 */
    int threads;         /* 0: one per core */
    OslerTrain train;
    int lora_rank;           /* fresh adapter; default 8 */
    double lora_alpha;       /* default 2 * rank */
    const char *lora_target; /* regular expression over module names; default: every linear of the language model */
    int64_t max_pixels;      /* 0: as the checkpoint says */
    uint64_t seed;
} OslerOptions;

typedef struct OslerMessage {
    const char *role; /* "system", "user", "assistant" */
    const char *content;
} OslerMessage;

typedef struct OslerConversation {
    const OslerMessage *messages;
    int n_messages;
    const char *const *images; /* one reference per <image> marker, in order */
    int n_images;
} OslerConversation;

/* Zero or NULL: greedy, at most 512 new tokens. */
typedef struct OslerSampling {
    int max_new_tokens;
    double temperature, top_p; /* top_p 0: 1 */
    int top_k;
    double repetition_penalty; /* 0: 1 */
    uint64_t seed;
} OslerSampling;

/* Called with pieces of the answer as they come; `text` is n bytes, not NUL-terminated, never half a character. */
typedef void (*OslerStream)(void *arg, const char *text, size_t n);

const char *osler_version(void);

/* Opens a checkpoint directory. options may be NULL. */
OslerModel *osler_open(const char *dir, const OslerOptions *options, OslerError *error);
void osler_close(OslerModel *m);

/* The model's answer to a conversation that ends with a user message. sampling and stream may be NULL. */
char *osler_chat(OslerModel *m, const OslerConversation *c, const OslerSampling *sampling, OslerStream stream,
                 void *arg, OslerError *error);

/* Log-probabilities (natural) of the tokens of all assistant messages, each with its end token; *n of them. */
float *osler_score(OslerModel *m, const OslerConversation *c, int *n, OslerError *error);

/*
 * One AdamW step (betas 0.9 and 0.999, no weight decay, gradient norm clipped to 1) on n conversations: the loss is the
 * mean over the tokens of their assistant messages.  Needs options.train.  *loss, where not NULL, is that of before
 * the step.
 */
int osler_train_step(OslerModel *m, const OslerConversation *c, int n, double learning_rate, double *loss,
                     OslerError *error);

/* Writes what was trained: a PEFT adapter directory, or a whole checkpoint directory. */
int osler_save(OslerModel *m, const char *dir, OslerError *error);

void osler_free(void *p);

#ifdef __cplusplus
}
#endif
#endif
