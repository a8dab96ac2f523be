/* osler run, killed in every stage and started again, ends with the bytes of one that was not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <limits.h>

#include "base/rng.h"
#include "program.h"
#include "scratch.h"

static const char PIPELINE[] =
    "set: {model: tests/data/goldens/small_tied/model, in: IN}\n"
    "stages:\n"
    "  - {name: text, verb: phantom, with: {split: text, n: 24}}\n"
    "  - {name: cases, verb: phantom, with: {split: pref, n: 12}}\n"
    "  - {name: elicit, verb: train, with: {model: $model, data: $text/data.jsonl, finetuning_type: lora, dtype: f32,\n"
    "     text_only: true, max_steps: 6, save_steps: 1, max_length: 8192, lora_dropout: 0.1, learning_rate: 1e-3}}\n"
    "  - {name: answers, verb: eval, with: {model: $elicit, benchmark: phantom, data: $cases/data.jsonl, prompt: "
    "think,\n"
    "     n: 2, temperature: 1, max_new_tokens: 24, dtype: f32}}\n"
    "  - {name: blind, verb: eval, with: {model: $elicit, benchmark: phantom, data: $cases/data.jsonl, prompt: think,\n"
    "     n: 2, temperature: 1, max_new_tokens: 24, dtype: f32, pictures: none}}\n"
    "  - {name: pairs, verb: synth, do: prefer, with: {data: $in/cases.jsonl, samples: $in/samples.jsonl}}\n"
    "  - {name: enhance, verb: train, with: {method: dpo, model: $elicit, data: $pairs/data.jsonl, dtype: f32,\n"
    "     max_steps: 5, save_steps: 1, max_length: 8192, learning_rate: 1e-3}}\n"
    "  - {name: exam, verb: eval, with: {model: $enhance, benchmark: phantom, data: $cases/data.jsonl, prompt: think,\n"
    "     max_new_tokens: 24, dtype: f32, baseline: $answers}}\n";

static const char *const STAGE[] = {"text", "cases", "elicit", "answers", "blind", "pairs", "enhance", "exam"};
enum { STAGES = sizeof STAGE / sizeof *STAGE };

static const char *const RESULT[] = {
    "text/data.jsonl",  "elicit/adapter_model.safetensors",  "answers/samples.jsonl", "blind/samples.jsonl",
    "pairs/data.jsonl", "enhance/adapter_model.safetensors", "exam/samples.jsonl"};

static void save(const char *dir, const char *name, const Buf *text)
{
    Err err = {0};
    char *path = path_join(dir, name);
    if (file_save(path, text->data, text->len, &err)) fail_msg("%s", err.msg);
    free(path);
}

/* Two cases, each with an answer that is right and well reasoned and one that is wrong. */
static void write_inputs(const char *dir)
{
    char picture[PATH_MAX];
    Buf cases = {0}, samples = {0}, yaml = {0};
    assert_non_null(realpath("tests/data/goldens/small_tied/images/0.png", picture));
    for (int i = 0; i < 2; i++) {
        buf_printf(
            &cases,
            "{\"id\": \"c%d\", \"kind\": \"yesno\", \"question\": \"Is the heart enlarged?\", \"answer\": \"yes\", "
            "\"images\": [\"%s\"], \"findings\": [{\"name\": \"cardiothoracic ratio\", \"value\": 0.57, "
            "\"unit\": \"\", \"text\": \"cardiothoracic ratio 0.57\", \"image\": 0}]}\n",
            i, picture);
        for (int draw = 0; draw < 2; draw++)
            buf_printf(&samples,
                       "{\"id\": \"c%d\", \"draw\": %d, \"tokens\": 40, \"prompt\": \"<image>\\nIs the heart "
                       "enlarged?\", \"response\": \"<think>\\nKey findings: cardiothoracic ratio %s.\\n%s 0.50.\\n"
                       "Re-check: %s is far from the limit.\\nThe answer is %s.\\n</think>\\n<answer>%s</answer>\"}\n",
                       i, draw, draw ? "0.44" : "0.57", draw ? "0.44 is below" : "0.57 is above",
                       draw ? "0.44" : "0.57", draw ? "no" : "yes", draw ? "no" : "yes");
    }
    const char *in = strstr(PIPELINE, "IN}");
    buf_add(&yaml, PIPELINE, (size_t)(in - PIPELINE));
    buf_printf(&yaml, "\"%s\"%s", dir, in + 2);
    save(dir, "cases.jsonl", &cases);
    save(dir, "samples.jsonl", &samples);
    save(dir, "p.yaml", &yaml);
    buf_release(&cases);
    buf_release(&samples);
    buf_release(&yaml);
}

/* ---- the program ------------------------------------------------------------------------------------------------- */

static pid_t start(const char *dir, const char *out)
{
    char *file = path_join(dir, "p.yaml"), *to = xasprintf("out=%s/%s", dir, out), *log = path_join(dir, "log");
    pid_t pid = program_start((const char *const[]){"osler", "run", file, to, NULL}, log);
    free(file);
    free(to);
    free(log);
    return pid;
}

static void run_to_end(const char *dir, const char *out)
{
    if (process_wait(start(dir, out)) == 0) return;
    Err err = {0};
    Buf log = {0};
    char *path = path_join(dir, "log");
    file_read(&log, path, 1 << 20, &err);
    fail_msg("%.*s", (int)log.len, log.data);
}

/* Waits until the stage has begun, and a little more, and kills the run, with the stage's own process or without;
   true where it had not ended by then. */
static bool kill_in(const char *dir, const char *stage, bool all, Rng *r)
{
    char *note = xasprintf("%s/killed/%s/stage.json", dir, stage);
    pid_t pid = start(dir, "killed");
    while (!file_exists(note) && !process_ended(pid)) usleep(500);
    usleep(rng_below(r, 80000));
    kill(all ? -pid : pid, SIGKILL);
    free(note);
    int status = process_wait(pid);
    for (int i = 0; i < 20000 && kill(-pid, 0) == 0; i++) usleep(1000); /* a stage ends with its pipeline */
    assert_int_not_equal(kill(-pid, 0), 0);
    return status == 128 + SIGKILL;
}

static void killed_is_same(void **state)
{
    (void)state;
    char *dir = scratch_new();
    Rng r = rng_at((uint64_t)getpid(), RNG_TEST, 2, 0, 0);
    int kills = 0;
    write_inputs(dir);
    run_to_end(dir, "whole");
    for (int i = 0; i < STAGES; i++) kills += kill_in(dir, STAGE[i], i % 2, &r);
    assert_true(kills >= STAGES / 2);
    run_to_end(dir, "killed");
    for (size_t i = 0; i < sizeof RESULT / sizeof *RESULT; i++) assert_same_file(dir, RESULT[i]);
    scratch_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_is_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
