/* osler phantom: cases with a known truth, as a data set or as a contact sheet. */
#include "base/log.h"
#include "cmd/cmd.h"
#include "phantom/phantom.h"

typedef struct PhantomOpts {
    Common common;
    char *out, *sheet, *family;
    int split, style;
    int64_t n, size, level, columns;
    bool shift, twin, tsv;
} PhantomOpts;

#define AT(field) offsetof(PhantomOpts, field)
static const Opt TABLE[] = {
    {"out", OPT_PATH, AT(out), .help = "folder to write: data.jsonl, images/, README.md"},
    {"split", OPT_ENUM, AT(split), .def = "base", .choices = SPLIT_CHOICES,
     .help = "splits share no case; text: findings in words, test-shift: another scanner"},
    {"n", OPT_INT, AT(n), .def = "1000", .min = 1, .max = 1e8, .help = "cases"},
    {"family", OPT_TEXT, AT(family), .help = "one family only; default: all in turn"},
    {"size", OPT_INT, AT(size), .def = "112", .min = 112, .max = 896, .help = "pixels a side, a multiple of 28"},
    {"level", OPT_INT, AT(level), .def = "0", .min = 0, .max = 4,
     .help = "1 see, 2 see and apply a rule, 3 the patient changes the rule, 4 two pictures or several rules; 0: all"},
    {"shift", OPT_BOOL, AT(shift), .def = "false", .help = "another scanner: noise, contrast, blur, scale"},
    {"twin", OPT_BOOL, AT(twin), .def = "false", .help = "text twins: the findings in words and no picture"},
    {"style", OPT_ENUM, AT(style), .def = "auto",
     .choices = "auto|direct|caption|measure|reading|notes|sight|plain|orchestrated|differential|intuitive|analytical|"
                "bayesian|mixed",
     .help = "of the assistant's message: the answer alone, a description, the findings, exercises in reading, "
             "sentences in random order, direct or caption by chance, worked reasoning; auto: sight in base, "
             "orchestrated in sft and text, else "
             "direct"},
    {"tsv", OPT_BOOL, AT(tsv), .def = "false", .help = "data.tsv in VLMEvalKit's layout as well (choice and yes/no)"},
    {"sheet", OPT_PATH, AT(sheet), .help = "draws a contact sheet instead: a .png, .ppm or .pgm file"},
    {"columns", OPT_INT, AT(columns), .def = "6", .min = 1, .max = 32, .help = "pictures in a row of the sheet"},
    SEED_ROW(PhantomOpts),
    GENERAL_ROWS(PhantomOpts),
    {0},
};

static int find_family(const Family **family, const char *name, Err *err)
{
    const char *known[64];
    int n = 0;
    if (!name || (*family = family_find(name))) return 0;
    while (n < 64 && family_name(n)) known[n] = family_name(n), n++;
    const char *near = nearest_word(name, known, n);
    usage_error(err, "unknown family '%s'", name);
    return near ? err_hint(err, "did you mean %s?", near) : err_hint(err, "for example %s", known[0]);
}

static int style_of(const PhantomOpts *o)
{
    enum { AUTO, DIRECT, CAPTION, MEASURE, READING, NOTES, SIGHT, FIRST };
    bool worked = o->split == SPLIT_SFT || o->split == SPLIT_TEXT;
    switch (o->style) {
    case AUTO: return worked ? STYLE_ORCHESTRATED : o->split == SPLIT_BASE ? STYLE_SIGHT : STYLE_DIRECT;
    case DIRECT: return STYLE_DIRECT;
    case CAPTION: return STYLE_CAPTION;
    case MEASURE: return STYLE_MEASURE;
    case READING: return STYLE_READING;
    case NOTES: return STYLE_NOTES;
    case SIGHT: return STYLE_SIGHT;
    default: return o->style - FIRST == N_STYLES ? STYLE_MIXED : o->style - FIRST;
    }
}

static int run(void *opts, const StrList *operands, Err *err)
{
    PhantomOpts *o = opts;
    CaseSpec first = {.split = (Split)o->split,
                      .seed = (uint64_t)o->common.seed,
                      .size = (int)o->size,
                      .shift = o->shift,
                      .twin = o->twin,
                      .level = (int)o->level};
    if (no_operands(operands, err)) return -1;
    if (!o->out == !o->sheet) return usage_error(err, "give either --out DIR or --sheet FILE");
    if (find_family(&first.family, o->family, err)) return -1;
    if (case_check(&first, err)) {
        err->usage = 1;
        return -1;
    }
    int style = style_of(o);
    if (style == STYLE_CAPTION && (o->twin || o->split == SPLIT_TEXT))
        return usage_error(err, "a text twin has no picture to describe");
    if (o->sheet) return sheet_write(o->sheet, &first, (int)o->columns, err);
    SplitSpec spec = {.first = first, .n = (int)o->n, .style = style, .tsv = o->tsv};
    return split_write(o->out, &spec, err);
}

const Verb VERB_PHANTOM = {
    .name = "phantom",
    .about = "Makes medical cases with a known truth: pictures, questions, answers, worked reasoning",
    .usage = "osler phantom --out DIR [--split NAME] [--n N] [--seed S]",
    .details = "Pictures are drawn, answers follow from published thresholds: test objects, never for clinical use.",
    .table = TABLE,
    .size = sizeof(PhantomOpts),
    .run = run,
};
