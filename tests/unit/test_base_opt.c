/* base/opt: one table, three spellings, and messages for everything else. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/opt.h"
#include "scratch.h"

typedef struct Opts {
    char *model, *adapter, *system;
    int64_t max_steps, max_length;
    double learning_rate, beta;
    bool packing, shuffle;
    int method, save_memory;
    StrList data, lora_target;
} Opts;

static const Opt TABLE[] = {
    {"model", OPT_PATH, offsetof(Opts, model), .required = true, .group = "Model", .help = "checkpoint directory"},
    {"adapter", OPT_PATH, offsetof(Opts, adapter), .help = "start from this adapter"},
    {"system", OPT_TEXT, offsetof(Opts, system), .def = "You are a doctor.", .help = "system prompt"},
    {"data", OPT_LIST, offsetof(Opts, data), .alias = "dataset", .group = "Data", .help = "sample files"},
    {"max_length", OPT_INT, offsetof(Opts, max_length), .min = 1, .max = 1e6, .alias = "cutoff_len|max_seq_length",
     .help = "tokens"},
    {"packing", OPT_BOOL, offsetof(Opts, packing), .help = "several samples per row"},
    {"shuffle", OPT_BOOL, offsetof(Opts, shuffle), .def = "true", .help = "in each epoch another order"},
    {"method", OPT_ENUM, offsetof(Opts, method), .def = "sft", .choices = "sft|dpo|grpo-x", .group = "Training",
     .help = "what to learn from"},
    {"max_steps", OPT_INT, offsetof(Opts, max_steps), .def = "-1", .min = -1, .max = HUGE_VAL, .help = "-1: by epochs"},
    {"learning_rate", OPT_REAL, offsetof(Opts, learning_rate), .def = "1e-5", .alias = "lr", .min = 0, .max = 10,
     .help = "peak"},
    {"save_memory", OPT_ENUM, offsetof(Opts, save_memory), .def = "auto", .choices = "auto|true|false", .help = "?"},
    {"beta", OPT_REAL, offsetof(Opts, beta), .help = "weight of the reference"},
    {"lora_target", OPT_LIST, offsetof(Opts, lora_target), .def = "q_proj,v_proj", .help = "names"},
    {0},
};

static char *dir, *recipe_path;

static int setup(void **state)
{
    (void)state;
    dir = scratch_new();
    recipe_path = path_join(dir, "recipe.yaml");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(recipe_path);
    scratch_free(dir);
    return 0;
}

/* Parses the words of `line` (cut at spaces, '~' stands for a space), after `recipe` where there is one. */
static int parse(Opts *o, const char *recipe, const char *line, StrList *operands, Err *err)
{
    char *copy = xstrdup(line), *argv[32];
    int argc = 0;
    *o = (Opts){0};
    if (recipe) {
        assert_int_equal(file_save(recipe_path, recipe, strlen(recipe), err), 0);
        argv[argc++] = recipe_path;
    }
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) {
        for (char *c = w; *c; c++)
            if (*c == '~') *c = ' ';
        argv[argc++] = w;
    }
    int rc = opt_parse(TABLE, o, argc, argv, recipe != NULL, operands, err);
    free(copy);
    return rc;
}

static void expect(Opts *o, const char *recipe, const char *line)
{
    Err err = {0};
    StrList rest = {0};
    if (parse(o, recipe, line, &rest, &err)) fail_msg("%s: %s", line, err.msg);
    assert_int_equal(rest.n, 0);
}

static void expect_list(const StrList *l, const char *want)
{
    Buf b = {0};
    for (int i = 0; i < l->n; i++) buf_printf(&b, "%s[%s]", i ? " " : "", l->at[i]);
    assert_string_equal(b.data ? b.data : "", want);
    buf_release(&b);
}

static void defaults(void **state)
{
    (void)state;
    Opts o;
    expect(&o, NULL, "model=m");
    assert_string_equal(o.model, "m");
    assert_null(o.adapter);
    assert_string_equal(o.system, "You are a doctor.");
    assert_int_equal(o.max_length, 0);
    assert_int_equal(o.max_steps, -1);
    assert_true(o.learning_rate == 1e-5 && o.beta == 0);
    assert_true(o.shuffle && !o.packing);
    assert_int_equal(o.method, 0);
    assert_int_equal(o.data.n, 0);
    expect_list(&o.lora_target, "[q_proj] [v_proj]");
    assert_true(opt_given(TABLE, &o, "model"));
    assert_false(opt_given(TABLE, &o, "learning_rate"));
    opt_release(TABLE, &o);
    assert_false(opt_given(TABLE, &o, "model"));
}

static void spellings_are_equal(void **state)
{
    (void)state;
    static const char *const LINE[] = {
        "--model m --max_steps 10 --learning_rate 0.5",  "--model=m --max-steps=10 --learning-rate=.5",
        "model=m max_steps=10 learning_rate=5e-1",       "model=m max-steps=10 lr=0.5",
        "--model m --max_steps 3 --lr 0.5 max_steps=10",
    };
    for (size_t i = 0; i < sizeof LINE / sizeof *LINE; i++) {
        Opts o;
        expect(&o, NULL, LINE[i]);
        assert_string_equal(o.model, "m");
        assert_int_equal(o.max_steps, 10);
        assert_true(o.learning_rate == 0.5);
        assert_true(opt_given(TABLE, &o, "lr"));
        opt_release(TABLE, &o);
    }
    Opts o;
    expect(&o, "model: m\nmax-steps: 10\nlr: 0.5\n", "");
    assert_int_equal(o.max_steps, 10);
    assert_true(o.learning_rate == 0.5);
    opt_release(TABLE, &o);
}

static void switches(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool want;
    } CASE[] = {{"model=m --packing", true},      {"--packing --model m", true},
                {"model=m --packing=no", false},  {"model=m packing=on", true},
                {"model=m packing=False", false}, {"--packing false model=m", false},
                {"--packing true model=m", true}, {"packing=1 packing=0 model=m", false}};
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        Opts o;
        expect(&o, NULL, CASE[i].line);
        assert_int_equal(o.packing, CASE[i].want);
        opt_release(TABLE, &o);
    }
}

/* A choice that can be "true" stands alone for it, as a switch does. */
static void switch_choices(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int want;
    } CASE[] = {{"model=m", 0},
                {"model=m --save_memory", 1},
                {"--save_memory --model m", 1},
                {"--save_memory model=m", 1},
                {"--save_memory false model=m", 2},
                {"save_memory=auto --model m", 0}};
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        Opts o;
        expect(&o, NULL, CASE[i].line);
        assert_int_equal(o.save_memory, CASE[i].want);
        opt_release(TABLE, &o);
    }
}

static void command_line_wins(void **state)
{
    (void)state;
    const char *recipe = "model: m\ndata: [a.jsonl, \"b,c.jsonl\"]\nlearning_rate: 0.25\nmethod: dpo\n"
                         "system: null\nlora_target: up_proj, down_proj\n";
    Opts o;
    expect(&o, recipe, "");
    expect_list(&o.data, "[a.jsonl] [b,c.jsonl]");
    expect_list(&o.lora_target, "[up_proj] [down_proj]");
    assert_null(o.system);
    assert_int_equal(o.method, 1);
    opt_release(TABLE, &o);
    expect(&o, recipe, "data=x data=y,~z~ learning_rate=1 --method GRPO_x");
    expect_list(&o.data, "[x] [y] [z]");
    assert_true(o.learning_rate == 1);
    assert_int_equal(o.method, 2);
    assert_true(opt_given(TABLE, &o, "lora_target"));
    opt_release(TABLE, &o);
}

static void lists_and_texts(void **state)
{
    (void)state;
    Opts o;
    expect(&o, NULL, "model=m data=a,,b\\,c, lora_target= system= adapter=");
    expect_list(&o.data, "[a] [b,c]");
    assert_int_equal(o.lora_target.n, 0);
    assert_string_equal(o.system, "");
    assert_null(o.adapter);
    opt_release(TABLE, &o);
    expect(&o, NULL, "--model -1 --beta -2.5 --system x=y~--z");
    assert_string_equal(o.model, "-1");
    assert_true(o.beta == -2.5);
    assert_string_equal(o.system, "x=y --z");
    opt_release(TABLE, &o);
}

static void operands_are_left(void **state)
{
    (void)state;
    Opts o;
    Err err = {0};
    StrList rest = {0};
    assert_int_equal(parse(&o, NULL, "r.yaml img.dcm#window=40,80 --model m dir/a=b - -- --model x=y", &rest, &err), 0);
    expect_list(&rest, "[r.yaml] [img.dcm#window=40,80] [dir/a=b] [-] [--model] [x=y]");
    strlist_release(&rest);
    opt_release(TABLE, &o);
}

static void help_is_asked_for(void **state)
{
    (void)state;
    Opts o;
    Err err = {0};
    assert_int_equal(parse(&o, NULL, "--help", NULL, &err), 1);
    assert_int_equal(parse(&o, NULL, "lr=1 -h", NULL, &err), 1);
    assert_string_equal(err.msg, "");
}

static void wrong_usage_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message, *hint;
    } CASE[] = {
        {"", "model is missing (checkpoint directory)", ""},
        {"--learnig_rate 1", "unknown option 'learnig_rate'", "did you mean learning_rate?"},
        {"Max-Stpes=1", "unknown option 'Max-Stpes'", "did you mean max_steps?"},
        {"--cutoff_length=5", "unknown option 'cutoff_length'", "did you mean max_length?"},
        {"--frobnicate", "unknown option 'frobnicate'", "--help lists the options"},
        {"-x", "unknown option '-x'", "--help lists the options"},
        {"model=m learning_rate=abc", "learning_rate: 'abc' is not a number", ""},
        {"model=m learning_rate=nan", "learning_rate: 'nan' is not a number", ""},
        {"model=m learning_rate=0x1", "learning_rate: '0x1' is not a number", ""},
        {"model=m learning_rate=", "learning_rate: '' is not a number", ""},
        {"model=m learning_rate=11", "learning_rate: 11 is out of range (0 to 10)", ""},
        {"model=m beta=1e999", "beta: 1e999 is too large", ""},
        {"model=m max_steps=1.5", "max_steps: '1.5' is not a whole number", ""},
        {"model=m max_steps=~5", "max_steps: ' 5' is not a whole number", ""},
        {"model=m max_steps=-2", "max_steps: -2 is too small (at least -1)", ""},
        {"model=m max_steps=99999999999999999999", "max_steps: 99999999999999999999 is too large", ""},
        {"model=m max_length=0", "max_length: 0 is out of range (1 to 1000000)", ""},
        {"model=m packing=maybe", "packing: 'maybe' is neither true nor false", ""},
        {"model=m method=dop", "method: 'dop' is none of sft|dpo|grpo-x", "did you mean dpo?"},
        {"model=m --max_steps", "--max_steps needs a value", ""},
        {"--model --max_steps 3", "--model needs a value", "write --model=VALUE for a value that starts with --"},
    };
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        Opts o;
        Err err = {0};
        assert_int_equal(parse(&o, NULL, CASE[i].line, NULL, &err), -1);
        assert_string_equal(err.msg, CASE[i].message);
        assert_string_equal(err.hint, CASE[i].hint);
        assert_int_equal(err.usage, 1);
        assert_null(o.model);
        assert_null(o.system);
    }
}

static void recipe_errors_say_where(void **state)
{
    (void)state;
    static const struct {
        const char *recipe, *message, *hint;
    } CASE[] = {
        {"model: m\nlearnig_rate: 1\n", ":2: unknown option 'learnig_rate'", "did you mean learning_rate?"},
        {"model: m\nlr: 1\nlearning_rate: 2\n", ":3: 'learning_rate': learning_rate was already given", ""},
        {"model: m\n\nmax_steps: ten\n", ":3: max_steps: 'ten' is not a whole number", ""},
        {"model: m\nmax_steps:\n", ":2: max_steps has no value, expected a whole number",
         "leave the line out for the default"},
        {"model: [m]\n", ":1: model must be a path, not a list", ""},
        {"model: m\ndata: {a: b}\n", ":2: data must be a list, not a mapping", ""},
        {"model: m\ndata: [a, [b]]\n", ":2: data: item 2 is not text", ""},
        {"model: m\ndata:\n  - a\n  -\n", ":3: data: item 2 is not text", ""},
        {"model: m\nmodel: n\n", ":2: 'model' was already given in line 1", ""},
    };
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        Opts o;
        Err err = {0};
        char *want = xasprintf("%s%s", recipe_path, CASE[i].message);
        assert_int_equal(parse(&o, CASE[i].recipe, "", NULL, &err), -1);
        assert_string_equal(err.msg, want);
        assert_string_equal(err.hint, CASE[i].hint);
        assert_int_equal(err.usage, 0);
        free(want);
    }
    Opts o;
    Err err = {0};
    char *argv[] = {"/nonexistent/r.yml"};
    o = (Opts){0};
    assert_int_equal(opt_parse(TABLE, &o, 1, argv, true, NULL, &err), -1);
    assert_string_equal(err.msg, "/nonexistent/r.yml: No such file or directory");
}

static void expect_same(const Opts *a, const Opts *b)
{
    Buf x = {0}, y = {0};
    opt_print(&x, TABLE, a);
    opt_print(&y, TABLE, b);
    assert_string_equal(x.data, y.data);
    assert_true(a->learning_rate == b->learning_rate && a->beta == b->beta);
    assert_int_equal(a->max_length, b->max_length);
    assert_int_equal(a->lora_target.n, b->lora_target.n);
    if (a->system) assert_string_equal(a->system, b->system);
    else assert_null(b->system);
    buf_release(&x), buf_release(&y);
}

/* What opt_print writes reads back as the same values, whatever the texts hold. */
static void printed_recipe_reads_back(void **state)
{
    (void)state;
    static const char *const TEXT[] = {
        "null",
        "~",
        "",
        " x ",
        "a: b",
        "# no",
        "it's \"q\"",
        "- x",
        "&a",
        "*a",
        "line\nline\ttab\r",
        "\xc3\xa9\xe5\xbf\x83",
        "\xc2\x85\xc2\x9f\x7f\x01",
        "\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf",
        "...",
        "---",
        "/a/b-c_d.e+f",
        "1e5",
        "true",
        "a,b\\,c",
        "[x]",
        "{x}",
        "%x",
        "@x",
        "\xef\xbf\xbf",
        "../x",
        "trailing:",
        "NULL",
    };
    for (size_t i = 0; i < sizeof TEXT / sizeof *TEXT; i++) {
        Opts o;
        expect(&o, NULL, "model=m lr=0.1 beta=3.3333333333333335 max_steps=7 packing=true method=dpo");
        free(o.system);
        o.system = xstrdup(TEXT[i]);
        strlist_add(&o.data, TEXT[i]);
        strlist_add(&o.data, "plain");
        Buf b = {0};
        opt_print(&b, TABLE, &o);
        Opts again;
        expect(&again, b.data, "");
        expect_same(&o, &again);
        assert_string_equal(again.data.at[0], TEXT[i]);
        opt_release(TABLE, &o), opt_release(TABLE, &again);
        buf_release(&b);
    }
}

static void unset_values_are_comments(void **state)
{
    (void)state;
    Opts o;
    expect(&o, NULL, "model=m lora_target=");
    free(o.system);
    o.system = NULL;
    Buf b = {0};
    opt_print(&b, TABLE, &o);
    assert_non_null(strstr(b.data, "# Model\nmodel: m\n# adapter: not set\nsystem: null\n\n# Data\n"));
    assert_non_null(strstr(b.data, "lora_target: []\n"));
    assert_non_null(strstr(b.data, "learning_rate: 1e-05\n"));
    Opts again;
    expect(&again, b.data, "");
    expect_same(&o, &again);
    opt_release(TABLE, &o), opt_release(TABLE, &again);
    buf_release(&b);
}

static void help_shows_the_table(void **state)
{
    (void)state;
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    opt_help(f, "osler train RECIPE", "Trains.", TABLE);
    fclose(f);
    static const char HEAD[] = "usage: osler train RECIPE\n\nTrains.\n\nModel\n";
    assert_memory_equal(text, HEAD, sizeof HEAD - 1);
    assert_non_null(strstr(text, "  --model PATH                      checkpoint directory (required)\n"));
    assert_non_null(strstr(text, "peak (0 to 10; default 1e-5; also lr)\n"));
    assert_non_null(strstr(text, "-1: by epochs (at least -1; default -1)\n"));
    assert_non_null(strstr(text, "(1 to 1e+06; also cutoff_len, max_seq_length)\n"));
    assert_non_null(strstr(text, "--method sft|dpo|grpo-x"));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) assert_true(strlen(line) <= 110);
    free(text);
}

static void nearest_words(void **state)
{
    (void)state;
    static const char *const KNOWN[] = {"learning_rate", "max_steps", "beta", "seed"};
    static const char *const CASE[][2] = {
        {"learning-rate", "learning_rate"},
        {"lerning_rate", "learning_rate"},
        {"max_step", "max_steps"},
        {"amx_steps", "max_steps"},
        {"BETA", "beta"},
        {"bta", "beta"},
        {"sede", "seed"},
        {"xyz", NULL},
        {"", NULL},
        {"steps", NULL},
    };
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        const char *got = nearest_word(CASE[i][0], KNOWN, 4);
        if (CASE[i][1]) assert_string_equal(got ? got : "nothing", CASE[i][1]);
        else assert_null(got);
    }
    char longest[300];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_null(nearest_word(longest, KNOWN, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(spellings_are_equal),
        cmocka_unit_test(switches),
        cmocka_unit_test(switch_choices),
        cmocka_unit_test(command_line_wins),
        cmocka_unit_test(lists_and_texts),
        cmocka_unit_test(operands_are_left),
        cmocka_unit_test(help_is_asked_for),
        cmocka_unit_test(wrong_usage_says_why),
        cmocka_unit_test(recipe_errors_say_where),
        cmocka_unit_test(printed_recipe_reads_back),
        cmocka_unit_test(unset_values_are_comments),
        cmocka_unit_test(help_shows_the_table),
        cmocka_unit_test(nearest_words),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
