/* opt_text.c - what an option table looks like: --help and the printed recipe. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/opt.h"

enum { HELP_COLUMN = 36, HELP_WIDTH = 110 };

/* ---- --help ------------------------------------------------------------------------------------------------------ */

/* Prints text at HELP_COLUMN, words wrapped; the cursor stands at `column`. */
static void print_wrapped(FILE *f, int column, const char *text)
{
    if (column >= HELP_COLUMN) { /* a space must stand between */
        fputc('\n', f);
        column = 0;
    }
    fprintf(f, "%*s", HELP_COLUMN - column, "");
    column = HELP_COLUMN;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + n > HELP_WIDTH) {
            fprintf(f, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            fputc(' ', f);
            column++;
        }
        fprintf(f, "%.*s", n, text);
        column += n;
        text += n;
        while (*text == ' ') text++;
    }
    fputc('\n', f);
}

static void add_details(Buf *b, const Opt *o)
{
    const char *sep = " (";
    if (o->required) buf_printf(b, "%srequired", sep), sep = "; ";
    if ((o->min != 0 || o->max != 0) && isinf(o->max)) buf_printf(b, "%sat least %g", sep, o->min), sep = "; ";
    else if (o->min != 0 || o->max != 0) buf_printf(b, "%s%g to %g", sep, o->min, o->max), sep = "; ";
    if (o->def && o->def[0]) buf_printf(b, "%sdefault %s", sep, o->def), sep = "; ";
    if (o->alias) {
        buf_printf(b, "%salso ", sep), sep = "; ";
        for (const char *s = o->alias; *s; s++) {
            if (*s == '|') buf_str(b, ", ");
            else buf_byte(b, (unsigned char)*s);
        }
    }
    if (sep[0] == ';') buf_byte(b, ')');
}

static void print_row(FILE *f, const Opt *o)
{
    static const char *const KIND[] = {"[=BOOL]", " N", " X", " TEXT", " PATH", " ", " A,B,.."};
    int column = fprintf(f, "  --%s%s%s", o->name, KIND[o->type], o->type == OPT_ENUM ? o->choices : "");
    Buf b = {0};
    buf_str(&b, o->help ? o->help : "");
    add_details(&b, o);
    print_wrapped(f, column, b.data);
    buf_release(&b);
}

void opt_help(FILE *f, const char *usage, const char *about, const Opt *table)
{
    fprintf(f, "usage: %s\n\n%s\n", usage, about);
    for (const Opt *o = table; o->name; o++) {
        if (o->group) fprintf(f, "\n%s\n", o->group);
        else if (o == table) fprintf(f, "\nOptions\n");
        print_row(f, o);
    }
    fprintf(f, "\n--key value, --key=value and key=value are the same; so are '-' and '_' in a key.\n");
}

/* ---- the recipe -------------------------------------------------------------------------------------------------- */

/* The code point of the valid UTF-8 sequence at s, and its length. */
static uint32_t utf8_decode(const unsigned char *s, size_t *len)
{
    *len = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t c = *len == 1 ? s[0] : s[0] & (0xffu >> (*len + 1));
    for (size_t i = 1; i < *len; i++) c = c << 6 | (s[i] & 0x3f);
    return c;
}

/*
 * A JSON string is a double-quoted YAML scalar, but for what YAML does not allow in a stream or takes for the end of a
 * line: C1 controls, next line, line and paragraph separator, byte order mark and U+FFFE, U+FFFF.
 */
static void add_quoted(Buf *b, const char *text)
{
    Buf json = {0};
    json_append_str(&json, text, strlen(text));
    const unsigned char *s = (const unsigned char *)json.data;
    for (size_t i = 0, len; i < json.len; i += len) {
        uint32_t c = utf8_decode(s + i, &len);
        bool escape =
            (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff;
        if (escape) buf_printf(b, "\\u%04x", (unsigned)c);
        else buf_add(b, s + i, len);
    }
    buf_release(&json);
}

/* Words of letters, digits and a few marks need no quotes, unless YAML reads them as a null. */
static bool is_plain(const char *s)
{
    static const char *const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t first = strspn(s, LETTERS), n = strlen(s);
    if (first == 0 && s[0] != '/' && s[0] != '.') return false;
    if (!strcasecmp(s, "null")) return false;
    for (size_t i = first; i < n; i++)
        if (!strchr(LETTERS, s[i]) && !strchr("._-/+", s[i])) return false;
    return strncmp(s, "...", 3) != 0;
}

static void add_text(Buf *b, const char *s)
{
    if (is_plain(s)) buf_str(b, s);
    else add_quoted(b, s);
}

/* The shortest decimal that reads back as x. */
static void add_real(Buf *b, double x)
{
    char s[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, x);
        if (strtod(s, NULL) == x) break;
    }
    buf_str(b, s);
}

static void add_choice(Buf *b, const char *choices, int k)
{
    for (; k > 0; k--) choices += strcspn(choices, "|") + 1;
    buf_add(b, choices, strcspn(choices, "|"));
}

static void add_list(Buf *b, const StrList *l)
{
    buf_byte(b, '[');
    for (int i = 0; i < l->n; i++) {
        if (i) buf_str(b, ", ");
        add_text(b, l->at[i]);
    }
    buf_byte(b, ']');
}

/* False where nothing was given and there is no default. */
static bool is_set(const Opt *o, const void *at)
{
    if (o->def) return true;
    switch (o->type) {
    case OPT_INT: return *(const int64_t *)at != 0;
    case OPT_REAL: return *(const double *)at != 0;
    case OPT_TEXT:
    case OPT_PATH: return *(char *const *)at != NULL;
    case OPT_LIST: return ((const StrList *)at)->n > 0;
    default: return true;
    }
}

static void add_value(Buf *b, const Opt *o, const void *at)
{
    const char *text;
    switch (o->type) {
    case OPT_BOOL: buf_str(b, *(const bool *)at ? "true" : "false"); break;
    case OPT_INT: buf_printf(b, "%lld", (long long)*(const int64_t *)at); break;
    case OPT_REAL: add_real(b, *(const double *)at); break;
    case OPT_ENUM: add_choice(b, o->choices, *(const int *)at); break;
    case OPT_LIST: add_list(b, at); break;
    default:
        text = *(char *const *)at;
        if (text) add_text(b, text);
        else buf_str(b, "null");
    }
}

void opt_print(Buf *out, const Opt *table, const void *opts)
{
    for (const Opt *o = table; o->name; o++) {
        const void *at = (const char *)opts + o->offset;
        if (o->group) buf_printf(out, "%s# %s\n", o == table ? "" : "\n", o->group);
        if (!is_set(o, at)) {
            buf_printf(out, "# %s: not set\n", o->name);
            continue;
        }
        buf_printf(out, "%s: ", o->name);
        add_value(out, o, at);
        buf_byte(out, '\n');
    }
}
