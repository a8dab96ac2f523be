/*
 * Any bytes as a recipe: no crash; an error carries the file's name; a recipe that is accepted is printed and read
 * again to the same options.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/opt.h"
#include "base/yaml.h"

typedef struct Opts {
    char *path, *text;
    int64_t steps, length;
    double rate, beta;
    bool packing;
    int method;
    StrList data;
} Opts;

static const Opt TABLE[] = {
    {"model", OPT_PATH, offsetof(Opts, path), .help = "a path"},
    {"text", OPT_TEXT, offsetof(Opts, text), .def = "hello", .help = "a text"},
    {"steps", OPT_INT, offsetof(Opts, steps), .def = "-1", .min = -1, .max = HUGE_VAL, .help = "a count"},
    {"length", OPT_INT, offsetof(Opts, length), .min = 1, .max = 4096, .help = "a length"},
    {"rate", OPT_REAL, offsetof(Opts, rate), .def = "1e-5", .alias = "lr", .min = 0, .max = 10, .help = "a rate"},
    {"beta", OPT_REAL, offsetof(Opts, beta), .help = "any number"},
    {"packing", OPT_BOOL, offsetof(Opts, packing), .help = "a switch"},
    {"method", OPT_ENUM, offsetof(Opts, method), .choices = "sft|dpo|grpo", .help = "a choice"},
    {"data", OPT_LIST, offsetof(Opts, data), .help = "a list"},
    {0},
};

/* One file per process, so that fuzzers may run side by side. */
static const char *scratch(void)
{
    static char path[64];
    if (!path[0]) snprintf(path, sizeof path, "/tmp/osler-fuzz-yaml-%ld.yaml", (long)getpid());
    return path;
}

static void write_scratch(const void *bytes, size_t n)
{
    FILE *f = fopen(scratch(), "wb");
    CHECK(f && (n == 0 || fwrite(bytes, 1, n, f) == n) && fclose(f) == 0, "cannot write %s", scratch());
}

static int read_scratch(Opts *o, Err *err)
{
    char *argv[] = {(char *)(uintptr_t)scratch()};
    *o = (Opts){0};
    int rc = opt_parse(TABLE, o, 1, argv, true, NULL, err);
    unlink(scratch());
    return rc;
}

static void round_trip(const Opts *o)
{
    Opts again;
    Err err = {0};
    Buf a = {0}, b = {0};
    opt_print(&a, TABLE, o);
    write_scratch(a.data, a.len);
    CHECK(read_scratch(&again, &err) == 0, "%s in\n%s", err.msg, a.data);
    opt_print(&b, TABLE, &again);
    CHECK(!strcmp(a.data, b.data), "printed\n%s\nread back as\n%s", a.data, b.data);
    CHECK(!o->text == !again.text && (!o->text || !strcmp(o->text, again.text)), "text changed");
    CHECK(o->data.n == again.data.n, "list changed");
    for (int i = 0; i < o->data.n; i++) CHECK(!strcmp(o->data.at[i], again.data.at[i]), "item %d changed", i);
    opt_release(TABLE, &again);
    buf_release(&a);
    buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Err err = {0};
    Yaml *y = yaml_parse((const char *)data, size, "recipe", &err);
    CHECK(y || !strncmp(err.msg, "recipe:", 7), "message without a place: %s", err.msg);
    if (!y) return 0;
    yaml_tree_free(y);

    Opts o;
    err_clear(&err);
    write_scratch(data, size);
    if (read_scratch(&o, &err) == 0) {
        round_trip(&o);
        opt_release(TABLE, &o);
    } else {
        CHECK(!strncmp(err.msg, scratch(), strlen(scratch())), "message without a place: %s", err.msg);
    }
    return 0;
}
