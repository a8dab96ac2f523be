/*
 * Damaged and hostile input, through the program itself.  A case damages copies of the tiny checkpoints with a line of
 * shell and runs one command; expected are the exit status and words of the message.  After a failure what stood in the
 * output file must still be there, and no temporary file may be left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"

/*
 * In the shell, $S is the case's folder.  It holds the models m (small_tied), u (small_untied, two shards) and l
 * (small_lora) with the adapter a, d/data.jsonl with its images, and out.jsonl with the word "old".  W is m's weights
 * file, J the data file, P the first picture.
 */
static const char PROLOGUE[] =
    "set -u; G=tests/data/goldens; export LC_ALL=C\n"
    "cp -r $G/small_tied/model $S/m; cp -r $G/small_untied/model $S/u; cp -r $G/small_lora/model $S/l\n"
    "cp -r $G/small_lora/adapter $S/a; mkdir $S/d; cp -r $G/small_tied/images $G/small_tied/data.jsonl $S/d\n"
    "echo old >$S/out.jsonl; W=$S/m/model.safetensors; J=$S/d/data.jsonl; P=$S/d/images/0.png\n"
    "edit() { sed -i \"$1\" \"$2\"; }\n"
    "answer() { printf '%s\\n' \"$1\" >$J; }\n";

#define SCORE    "score --model $S/m --data $J --out $S/out.jsonl"
#define GENERATE "generate --model $S/m --data $J --max_new_tokens 2 --out $S/out.jsonl"
#define TRAIN    "train model=$S/m data=$J output_dir=$S/o max_steps=2 save_steps=1 threads=1"
#define ADAPTED  "score --model $S/l --adapter $S/a --data $J --out $S/out.jsonl"
#define SHARDED  "score --model $S/u --data $J --out $S/out.jsonl"
#define PICTURE  "preprocess --model $S/m --out $S/out.jsonl $P"
#define TOKENIZE "tokenize --model $S/m --in $J --out $S/out.jsonl"
#define RECIPE   "train $S/r.yaml model=$S/m data=$J output_dir=$S/o max_steps=1"
#define CHECKED  "data check $J"

typedef struct Case {
    const char *name, *damage, *args;
    int status;
    const char *expect[3];
} Case;

static const Case CASE[] = {
    /* weights */
    {"weights: empty", ": >$W", SCORE, 1, {"model.safetensors", "too few", "hint:"}},
    {"weights: cut in the header", "truncate -s 3000 $W", SCORE, 1, {"model.safetensors", "cut short"}},
    {"weights: a byte short", "truncate -s -1 $W", TRAIN, 1, {"model.safetensors", "its data ends", "cut short"}},
    {"weights: a byte short, inspected", "truncate -s -1 $W", "inspect $S/m", 1, {"cut short"}},
    {"weights: a byte long", "printf x >>$W", SCORE, 1, {"belong to none"}},
    {"weights: header of 2^64-1",
     "printf '\\377\\377\\377\\377\\377\\377\\377\\377' | dd of=$W conv=notrunc status=none",
     SCORE,
     1,
     {"header of 18446744073709551615"}},
    {"weights: header of 200 MB",
     "printf '\\000\\000\\200\\014\\000' | dd of=$W conv=notrunc status=none",
     SCORE,
     1,
     {"header of 209715"}},
    {"weights: header is no JSON", "printf x | dd of=$W bs=1 seek=9 conv=notrunc status=none", SCORE, 1, {"JSON"}},
    {"weights: NaN", "truncate -s -4 $W; printf '\\377\\377\\377\\377' >>$W", TRAIN, 1, {"tensor \"", "holds NaN"}},
    {"weights: infinity", "truncate -s -4 $W; printf '\\000\\000\\200\\177' >>$W", SCORE, 1, {"holds NaN or inf"}},
    {"weights: a tensor is missing",
     "edit 's/model.norm.weight/model.nxrm.weight/' $W",
     SCORE,
     1,
     {"\"model.norm.weight\" is missing", "hint:"}},
    {"weights: missing, inspected",
     "edit 's/model.norm.weight/model.nxrm.weight/' $W",
     "inspect $S/m",
     1,
     {"\"model.norm.weight\" is missing"}},
    {"weights: of another shape",
     "edit 's/\"hidden_size\": 32/\"hidden_size\": 64/' $S/m/config.json",
     SCORE,
     1,
     {"error:"}},
    {"weights: more blocks asked for",
     "edit 's/\"num_hidden_layers\": [0-9]*/\"num_hidden_layers\": 9/' $S/m/config.json",
     SCORE,
     1,
     {"is missing"}},
    {"weights: an LFS pointer",
     "echo 'version https://git-lfs.github.com/spec/v1' >$W",
     SCORE,
     1,
     {"LFS", "git lfs pull"}},
    {"weights: none", "rm $W", TRAIN, 1, {"neither model.safetensors", "hint:"}},
    {"weights: a folder", "rm $W; mkdir $W", SCORE, 1, {"not a regular file"}},
    {"weights: no model", "rm -r $S/m", GENERATE, 1, {"config.json: No such file", "hint:"}},
    {"shards: one is missing", "rm $S/u/model-00002*", SHARDED, 1, {"model-00002-of-00002.safetensors is missing"}},
    {"shards: one is short",
     "truncate -s -1 $S/u/model-00001*",
     SHARDED,
     1,
     {"model-00001-of-00002.safetensors", "short"}},
    {"shards: outside the folder",
     "edit 's|model-00002-of-00002|../x|' $S/u/model.safetensors.index.json",
     SHARDED,
     1,
     {"not the name of a file beside the index"}},
    {"shards: index is broken",
     "truncate -s 100 $S/u/model.safetensors.index.json",
     SHARDED,
     1,
     {"index.json:", "not valid JSON"}},
    /* config.json and its neighbours */
    {"config: missing", "rm $S/m/config.json", TRAIN, 1, {"config.json: No such file"}},
    {"config: broken",
     "printf '{\\n\"model_type\": ,}' >$S/m/config.json",
     SCORE,
     1,
     {"config.json:2:", "not valid JSON"}},
    {"config: a list", "echo '[]' >$S/m/config.json", SCORE, 1, {"config.json", "got array"}},
    {"config: another model", "edit 's/\"qwen2_5_vl\"/\"llama\"/' $S/m/config.json", SCORE, 1, {"llama", "hint:"}},
    {"config: 2^20 blocks",
     "edit 's/\"num_hidden_layers\": [0-9]*/\"num_hidden_layers\": 1048576/' $S/m/config.json",
     SCORE,
     1,
     {"\"num_hidden_layers\" = 1048576 is out of range"}},
    {"config: no heads",
     "edit 's/\"num_attention_heads\": [0-9]*/\"num_attention_heads\": 0/' $S/m/config.json",
     SCORE,
     1,
     {"\"num_attention_heads\" = 0"}},
    {"config: width is text",
     "edit 's/\"hidden_size\": [0-9]*/\"hidden_size\": \"x\"/' $S/m/config.json",
     SCORE,
     1,
     {"must be an integer"}},
    {"config: vocabulary too small",
     "edit 's/\"vocab_size\": [0-9]*/\"vocab_size\": 300/' $S/m/config.json",
     SCORE,
     1,
     {"outside the vocabulary"}},
    {"config: video token out of range",
     "edit 's/\"video_token_id\": [0-9]*/\"video_token_id\": 999999/' $S/m/config.json",
     GENERATE,
     1,
     {"\"video_token_id\" = 999999 is outside"}},
    {"config: for init", "mkdir $S/e", "init --config $S/e --out $S/i", 1, {"Is a directory"}},
    {"generation_config: broken", "echo '{' >$S/m/generation_config.json", GENERATE, 1, {"generation_config.json:"}},
    {"tokenizer: missing", "rm $S/m/tokenizer.json", TRAIN, 1, {"tokenizer.json: No such file", "hint:"}},
    {"tokenizer: broken", "truncate -s 1000 $S/m/tokenizer.json", TOKENIZE, 1, {"tokenizer.json:", "not valid JSON"}},
    {"tokenizer: of another type",
     "edit 's/\"type\": *\"BPE\"/\"type\": \"Unigram\"/' $S/m/tokenizer.json",
     SCORE,
     1,
     {"Unigram is not supported"}},
    {"tokenizer: more tokens than rows",
     "edit 's/\"!\": *0,/\"!\": 900000,/' $S/m/tokenizer.json",
     SCORE,
     1,
     {"the tokenizer has 9000"}},
    {"processor: missing", "rm $S/m/preprocessor_config.json", PICTURE, 1, {"no preprocessor_config.json", "hint:"}},
    {"processor: broken", "echo '{' >$S/m/preprocessor_config.json", SCORE, 1, {"preprocessor_config.json:", "JSON"}},
    {"processor: other patches",
     "edit 's/\"patch_size\": 14/\"patch_size\": 7/' $S/m/preprocessor_config.json",
     SCORE,
     1,
     {"disagree on the patch size"}},
    {"processor: limits cross",
     "true",
     PICTURE " --min_pixels 100000 --max_pixels 10",
     1,
     {"min_pixels 100000 is more"}},
    /* pictures */
    {"picture: missing", "rm $P", PICTURE, 1, {"0.png: No such file"}},
    {"picture: missing, in a row", "rm $P", GENERATE, 1, {"data.jsonl:1, id s0", "No such file"}},
    {"picture: empty", ": >$P", SCORE, 1, {"data.jsonl:1", "empty file", "hint:"}},
    {"picture: cut", "truncate -s 200 $P", PICTURE, 1, {"0.png: broken PNG"}},
    {"picture: text", "echo hello >$P", PICTURE, 1, {"not a picture of a known format"}},
    {"picture: a folder", "rm $P; mkdir $P", PICTURE, 1, {"not a regular file"}},
    {"picture: a PNG of 65536 x 65536",
     "printf '\\000\\001\\000\\000\\000\\001\\000\\000' | dd of=$P bs=1 seek=16 conv=notrunc status=none",
     PICTURE,
     1,
     {"0.png"}},
    {"picture: a JPEG without an end",
     "printf '\\377\\330\\377\\340\\000\\020JFIF\\000' >$P",
     PICTURE,
     1,
     {"broken JPEG"}},
    {"picture: a TIFF of 60000 x 60000",
     "printf 'II*\\000\\010\\000\\000\\000\\002\\000\\000\\001\\004\\000\\001\\000\\000\\000\\140\\352\\000\\000"
     "\\001\\001\\004\\000\\001\\000\\000\\000\\140\\352\\000\\000\\000\\000\\000\\000' >$P",
     PICTURE,
     1,
     {"0.png"}},
    {"picture: garbage after the DICOM mark",
     "head -c 128 /dev/zero >$P; printf 'DICM\\001\\002\\003' >>$P",
     PICTURE,
     1,
     {"0.png"}},
    {"picture: unknown key", "P=\"$P#fram=1\"", PICTURE, 1, {"unknown key 'fram'", "frame"}},
    {"picture: no such frame", "P=\"$P#frame=9\"", PICTURE, 1, {"takes no 'frame'"}},
    /* data */
    {"data: empty", ": >$J", TRAIN, 1, {"data.jsonl: the file is empty"}},
    {"data: a folder", "J=$S/d", SCORE, 1, {"not a regular file"}},
    {"data: missing", "rm $J", CHECKED, 1, {"No such file"}},
    {"data: not JSON", "echo 'id,question' >$J", SCORE, 1, {"data.jsonl:1: not JSON", "hint:"}},
    {"data: one line cut", "sed -i '3s/.$//' $J", CHECKED, 1, {"data.jsonl:3", "not valid JSON"}},
    {"data: not UTF-8",
     "answer \"$(printf '{\"messages\": [{\"role\": \"user\", \"content\": \"\\377\"}]}')\"",
     CHECKED,
     1,
     {"unable to decode byte 0xff"}},
    {"data: a lone surrogate",
     "answer '{\"messages\": [{\"role\": \"user\", \"content\": \"\\ud800\"}]}'",
     SCORE,
     1,
     {"invalid Unicode"}},
    {"data: nested deeply", "head -c 100000 /dev/zero | tr '\\0' '[' >$J", SCORE, 1, {"data.jsonl:1"}},
    {"data: more markers than images",
     "edit '1s/<image>/<image><image>/' $J",
     SCORE,
     1,
     {"data.jsonl:1", "2 <image> markers but 1 image", "hint:"}},
    {"data: fewer markers than images", "edit '1s/<image>//' $J", CHECKED, 1, {"data.jsonl:1", "0 <image> markers"}},
    {"data: unknown role", "edit '1s/\"user\"/\"ro\\\\u001b[31mbot\"/' $J", SCORE, 1, {"unknown role \"ro?[31mbot\""}},
    {"data: nothing to train on",
     "answer '{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}'",
     TRAIN,
     1,
     {"not one sample", "nothing to train on"}},
    {"data: all samples are bad", "answer '{\"messages\": 5}'", TRAIN, 1, {"no usable sample", "osler data check"}},
    {"data: all samples are too long",
     "true",
     TRAIN " max_length=5",
     1,
     {"more than max_length 5", "raise max_length"}},
    {"data: 2000 pictures",
     "answer \"{\\\"messages\\\": [{\\\"role\\\": \\\"user\\\", \\\"content\\\": \\\"$(printf '<image>%.0s' "
     "{1..2000})\\\"},"
     " {\\\"role\\\": \\\"assistant\\\", \\\"content\\\": \\\"y\\\"}], \\\"images\\\": [$(printf "
     "'\"images/0.png\",%.0s'"
     " {1..1999})\\\"images/0.png\\\"]}\"",
     TRAIN,
     1,
     {"of 2000 images"}},
    {"data: a prompt beyond the context",
     "edit 's/\"max_position_embeddings\": [0-9]*/\"max_position_embeddings\": 20/' $S/m/config.json",
     GENERATE,
     1,
     {"data.jsonl:1, id s0", "context of 20", "hint:"}},
    {"tokens: neither text nor ids", "answer '{\"txt\": 1}'", TOKENIZE, 1, {"data.jsonl:1", "hint:"}},
    {"tokens: outside the vocabulary", "answer '{\"ids\": [99999999]}'", TOKENIZE, 1, {"data.jsonl:1: \"ids\"[0]"}},
    /* recipes and the command line */
    {"recipe: missing", "true", RECIPE, 1, {"r.yaml: No such file"}},
    {"recipe: unknown key",
     "echo 'learning_rte: 1' >$S/r.yaml",
     RECIPE,
     1,
     {"r.yaml:1", "did you mean learning_rate?"}},
    {"recipe: broken", "printf 'seed: 1\\na: [1,\\nb: }\\n' >$S/r.yaml", RECIPE, 1, {"r.yaml:3:", "not valid YAML"}},
    {"recipe: wrong type",
     "printf 'seed: 1\\nlearning_rate: fast\\n' >$S/r.yaml",
     RECIPE,
     1,
     {"r.yaml:2: learning_rate"}},
    {"recipe: out of range", "echo 'lora_dropout: 1.5' >$S/r.yaml", RECIPE, 1, {"r.yaml:1: lora_dropout", "range"}},
    {"recipe: not a number", "echo 'learning_rate: nan' >$S/r.yaml", RECIPE, 1, {"is not a number"}},
    {"recipe: given twice", "printf 'seed: 1\\nseed: 2\\n' >$S/r.yaml", RECIPE, 1, {"already given in line 1"}},
    {"recipe: a bomb of anchors", "printf 'a: &a [x]\\nb: [*a, *a]\\n' >$S/r.yaml", RECIPE, 1, {"not supported"}},
    {"usage: unknown verb", "true", "scor", 2, {"did you mean score?"}},
    {"usage: unknown key", "true", TRAIN " learning_rat=1", 2, {"did you mean learning_rate?"}},
    {"usage: wrong type", "true", TRAIN " seed=x", 2, {"seed: 'x'"}},
    {"usage: out of range", "true", GENERATE " --top_p 2", 2, {"top_p: 2 is out of range"}},
    {"usage: no value", "true", TRAIN " --seed", 2, {"--seed needs a value"}},
    {"usage: no model", "true", "score --data $J --out $S/out.jsonl", 2, {"model is missing"}},
    {"usage: no output_dir", "true", "train model=$S/m data=$J", 2, {"output_dir is missing"}},
    {"usage: nothing to train",
     "true",
     TRAIN " freeze_vision=1 freeze_merger=1 freeze_language=1 finetuning_type=full",
     2,
     {"nothing to train"}},
    /* adapters */
    {"adapter: missing", "rm -r $S/a", ADAPTED, 1, {"adapter_config.json: No such file"}},
    {"adapter: broken config", "echo '{' >$S/a/adapter_config.json", ADAPTED, 1, {"adapter_config.json", "JSON"}},
    {"adapter: cut",
     "truncate -s -1 $S/a/adapter_model.safetensors",
     ADAPTED,
     1,
     {"adapter_model.safetensors", "short"}},
    {"adapter: of another model", "rm -r $S/l; cp -r $S/m $S/l", ADAPTED, 1, {"is not [", "another model"}},
    {"adapter: other rank", "edit 's/\"r\": 4/\"r\": 5/' $S/a/adapter_config.json", ADAPTED, 1, {"is not [5", "hint:"}},
    {"adapter: a tensor is missing",
     "edit 's/blocks.0.attn.qkv.lora_A/blocks.0.attn.qkv.lora_X/' $S/a/*.safetensors",
     ADAPTED,
     1,
     {"lora_A.weight\" is missing", "hint:"}},
    {"adapter: DoRA",
     "edit 's/\"use_dora\": false/\"use_dora\": true/' $S/a/adapter_config.json",
     ADAPTED,
     1,
     {"\"use_dora\" is not supported", "hint:"}},
    {"adapter: modules_to_save",
     "edit 's/\"modules_to_save\": null/\"modules_to_save\": [\"lm_head\"]/' $S/a/*.json",
     ADAPTED,
     1,
     {"\"modules_to_save\" is not supported"}},
    {"adapter: targets nothing", "true", TRAIN " finetuning_type=lora lora_target=nothing", 1, {"no linear", "hint:"}},
    {"adapter: a pattern that PEFT would refuse",
     "true",
     TRAIN " finetuning_type=lora 'lora_target=.*blocks.*(qkv|0)'",
     1,
     {"model.visual.blocks.0", "no linear"}},
    {"adapter: taken for a model", "true", "inspect $S/a/none", 1, {"no such directory"}},
    /* outputs */
    {"output: the model's folder", "true", TRAIN " output_dir=$S/m/.", 1, {"starts from", "hint:"}},
    {"output: a file in the way", "echo x >$S/o", TRAIN, 1, {"/o: exists and is not a folder"}},
    {"output: no folder", "true", SCORE " --out $S/none/x.jsonl", 1, {"x.jsonl: cannot write: No such file"}},
    {"output: is a folder", "true", GENERATE " --out $S/d", 1, {"cannot write: is a folder"}},
    {"output: disk full",
     "test -c /dev/full || exit 77; ln -s /dev/full $S/full",
     SCORE " --out $S/full",
     1,
     {"/full: cannot write: No space left", "hint: the disk is full"}},
    {"output: disk full at stdout", "test -c /dev/full || exit 77", "inspect $S/m >/dev/full", 1, {"standard output"}},
    {"output: a pipe stays one",
     "mkfifo $S/pipe; cat $S/pipe >$S/piped &",
     SCORE " --out $S/pipe && test -p $S/pipe",
     0,
     {0}},
    {"output: no room for a checkpoint",
     "trap '' XFSZ; ulimit -f 900",
     TRAIN " finetuning_type=full",
     1,
     {"checkpoint-1 could not be written", "File too large", "hint: earlier"}},
    {"output: gradients without a folder",
     "true",
     SCORE " --grads $S/none/g.safetensors",
     1,
     {"g.safetensors: cannot"}},
    /* checkpoints */
    {"resume: another learning rate",
     "$OSLER " TRAIN " 2>/dev/null",
     TRAIN " learning_rate=0.5",
     1,
     {"checkpoint-2", "learning_rate (was", "resume=false"}},
    {"resume: other data", "$OSLER " TRAIN " 2>/dev/null; edit 's/left/right/' $J", TRAIN, 1, {"data (was"}},
    {"resume: past a damaged checkpoint",
     "$OSLER " TRAIN " 2>/dev/null; truncate -s 50 $S/o/checkpoint-2/trainer_state.json",
     TRAIN,
     0,
     {"passing over a damaged checkpoint", "checkpoint-2/trainer_state.json", "going on from"}},
    {"resume: a state of another step",
     "$OSLER " TRAIN
     " 2>/dev/null; edit 's/\"global_step\": 2/\"global_step\": -5/' $S/o/checkpoint-2/trainer_state.json",
     TRAIN,
     0,
     {"passing over", "do not belong to this folder", "checkpoint-1"}},
    {"resume: NaN in the optimizer",
     "$OSLER " TRAIN
     " 2>/dev/null; truncate -s -4 $S/o/checkpoint-2/opt*; printf '\\377\\377\\377\\377' >>$S/o/checkpoint-2/opt*",
     TRAIN,
     1,
     {"optimizer.safetensors", "holds NaN", "hint:"}},
    {"two runs in one folder",
     "mkdir $S/o; exec 9<$S/o; flock -n 9 || exit 77",
     TRAIN,
     1,
     {"another run is writing", "hint:"}},
};
enum { N_CASES = sizeof CASE / sizeof *CASE };

static char *read_text(const char *dir, const char *name)
{
    Err err = {0};
    Buf b = {0};
    char *path = path_join(dir, name);
    if (file_read(&b, path, (size_t)1 << 22, &err)) fail_msg("%s", err.msg);
    free(path);
    return b.data;
}

static void run_case(void **state)
{
    const Case *c = *state;
    char *dir = scratch_new();
    char *script = xasprintf("%s%s\ntimeout 60 $OSLER >$S/stdout 2>$S/stderr %s\nrc=$?\n"
                             "find $S/out.jsonl* $S/o $S/i -name '*.tmp*' >$S/left 2>/dev/null\nexit $rc\n",
                             PROLOGUE, c->damage, c->args);
    setenv("S", dir, 1);
    setenv("SCRIPT", script, 1);
    int status = system("bash -c \"$SCRIPT\"") >> 8;
    free(script);
    if (status == 77) {
        scratch_free(dir);
        skip();
    }
    char *said = read_text(dir, "stderr"), *printed = read_text(dir, "stdout"), *left = read_text(dir, "left"),
         *out = read_text(dir, "out.jsonl");
    char *text = strncmp(c->args, "data ", 5) ? xstrdup(said) : xasprintf("%s%s", said, printed);
    scratch_free(dir);
    if (status != c->status) fail_msg("%s: exit status %d, expected %d\n%s", c->name, status, c->status, text);
    for (int i = 0; i < 3 && c->expect[i]; i++)
        if (!strstr(text, c->expect[i])) fail_msg("%s: expected '%s' in\n%s", c->name, c->expect[i], text);
    if (strstr(text, "Sanitizer") || strstr(text, "runtime error") || strstr(text, "CHECK("))
        fail_msg("%s:\n%s", c->name, text);
    if (strcmp(out, "old\n")) fail_msg("%s: the output file was touched", c->name);
    if (*left) fail_msg("%s: left behind:\n%s", c->name, left);
    char *const done[] = {said, printed, left, out, text};
    for (int i = 0; i < 5; i++) free(done[i]);
}

int main(void)
{
    setenv("OSLER", "build/osler", 0);
    struct CMUnitTest test[N_CASES];
    for (int i = 0; i < N_CASES; i++)
        test[i] = (struct CMUnitTest){
            .name = CASE[i].name, .test_func = run_case, .initial_state = (void *)(uintptr_t)&CASE[i]};
    return cmocka_run_group_tests_name("bad input", test, NULL, NULL);
}
