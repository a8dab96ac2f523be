/*
 * finetune.c - open a checkpoint, ask, train a LoRA adapter on one conversation, ask again, save the adapter.
 *
 *   cc finetune.c $(pkg-config --cflags --libs osler) -o finetune
 *   ./finetune CHECKPOINT IMAGE OUT
 */
#include <osler.h>
#include <stdio.h>

static int fail(const OslerError *e)
{
    fprintf(stderr, "error: %s\n", e->message);
    if (e->hint[0]) fprintf(stderr, "hint: %s\n", e->hint);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: finetune CHECKPOINT IMAGE OUT\n");
        return 2;
    }
    OslerError e;
    OslerOptions options = {.train = OSLER_TRAIN_LORA, .lora_rank = 4, .f32 = 1};
    OslerModel *m = osler_open(argv[1], &options, &e);
    if (!m) return fail(&e);

    const char *image[] = {argv[2]};
    OslerMessage lesson[] = {{"user", "<image>Which plane is shown?"}, {"assistant", "axial"}};
    OslerConversation taught = {lesson, 2, image, 1}, question = {lesson, 1, image, 1};
    for (int step = 0; step < 30; step++) {
        double loss;
        if (osler_train_step(m, &taught, 1, 1e-2, &loss, &e)) return fail(&e);
        if (step % 10 == 0) printf("step %2d  loss %.3f\n", step, loss);
    }
    OslerSampling sampling = {.max_new_tokens = 8};
    char *answer = osler_chat(m, &question, &sampling, NULL, NULL, &e);
    if (!answer) return fail(&e);
    printf("answer: %s\n", answer);
    osler_free(answer);

    if (osler_save(m, argv[3], &e)) return fail(&e);
    printf("adapter in %s\n", argv[3]);
    osler_close(m);
    return 0;
}
