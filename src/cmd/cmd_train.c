/* osler train: supervised fine-tuning and its relatives. All of it is in src/train. */
#include "cmd/cmd.h"
#include "train/train_options.h"
#include "train/trainer.h"

static int parse(void *opts, int argc, char **argv, StrList *operands, Err *err)
{
    return train_options_parse(opts, argc, argv, operands, err);
}

static int run(void *opts, const StrList *operands, Err *err)
{
    if (no_operands(operands, err)) return -1;
    const TrainOptions *o = opts;
    return o->plan ? train_plan(o, err) : train_run(o, err);
}

const Verb VERB_TRAIN = {
    .name = "train",
    .about = "fine-tunes a checkpoint, in full or with an adapter",
    .usage = "osler train [RECIPE.yaml] [--key value | key=value] ...",
    .table = TRAIN_OPTIONS,
    .size = sizeof(TrainOptions),
    .recipe = true,
    .run = run,
    .parse = parse,
};
