#include "reward/compat.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/buf.h"
#include "reward/match.h"
#include "reward/readers_impl.h"

/* Longer texts are compared by their end only: the answer stands there, and the comparison is quadratic. */
enum { MAX_COMPARED = 20000 };

static char *lower(const char *s, size_t n)
{
    Buf b = {0};
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t k = utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)(n - i), &c);
        utf8proc_uint8_t out[4];
        if (k > 0 && c) buf_add(&b, out, (size_t)utf8proc_encode_char(utf8proc_tolower(c), out));
        i += k > 0 ? (size_t)k : 1;
    }
    return b.data ? buf_take(&b) : xstrdup("");
}

static void replace(char **s, char *with)
{
    free(*s);
    *s = with;
}

static char *stripped(const char *s)
{
    while (*s && strchr(" \t\r\n\f\v", *s)) s++;
    size_t n = strlen(s);
    while (n && strchr(" \t\r\n\f\v", s[n - 1])) n--;
    return xstrndup(s, n);
}

static char *without(const char *s, const char *drop)
{
    Buf b = {0};
    for (; *s; s++)
        if (!strchr(drop, *s)) buf_byte(&b, (unsigned char)*s);
    return b.data ? buf_take(&b) : xstrdup("");
}

/* "None" as mathruler returns it, which no lower-case answer equals. */
static char *last_box(const char *s)
{
    const char *box = NULL;
    for (const char *p = s; (p = strstr(p, "\\boxed{")); p++) box = p + 7;
    int depth = 1;
    for (const char *p = box; p && *p; p++) {
        if (*p == '{') depth++;
        if (*p != '}' || --depth) continue;
        char *content = xstrndup(box, (size_t)(p - box));
        replace(&content, stripped(content));
        return content;
    }
    return xstrdup("None");
}

static char *tagged(const char *s)
{
    Buf b = {0};
    for (const char *p = s, *end; (p = strstr(p, "<answer>")) && (end = strstr(p + 8, "</answer>")); p = end + 9) {
        buf_add(&b, p + 8, (size_t)(end - p - 8));
        buf_byte(&b, ' ');
    }
    char *inner = b.data ? stripped(b.data) : xstrdup("");
    buf_release(&b);
    if (*inner) return inner;
    free(inner);
    return xstrdup(s);
}

/* What follows the last of each phrase, phrase by phrase. */
static char *parse(const char *response)
{
    static const char *const CUE[] = {"**answer**:", "**answer**", "*answer*:",    "**answer:**",    "answer is",
                                      "answer:",     "答案:",      "final answer", "final answer is"};
    char *s = strstr(response, "boxed")      ? last_box(response)
              : strstr(response, "<answer>") ? tagged(response)
                                             : xstrdup(response);
    for (size_t i = 0; i < sizeof CUE / sizeof *CUE; i++) {
        const char *last = NULL;
        for (const char *p = s; (p = strstr(p, CUE[i])); p += strlen(CUE[i])) last = p + strlen(CUE[i]);
        if (last) replace(&s, xstrdup(last));
    }
    return s;
}

/* ---- choice ------------------------------------------------------------------------------------------------------ */

static int letter_of(const Question *q, const char *s, size_t n)
{
    return n == 1 && *s >= 'a' && *s < 'a' + q->n_options ? *s - 'a' : -1;
}

/* A first paragraph that is a letter, or a last one that begins with a letter and a point, is all that counts. */
static void cut_paragraphs(char **s, const Question *q)
{
    size_t first = strcspn(*s, "\n");
    while ((*s)[first] && strncmp(*s + first, "\n\n", 2)) first += 1 + strcspn(*s + first + 1, "\n");
    if (letter_of(q, *s, first) >= 0) {
        replace(s, xstrndup(*s, first));
        return;
    }
    const char *last = *s;
    for (const char *p = *s; (p = strstr(p, "\n\n")); p += 2) last = p + 2;
    if (letter_of(q, last, strcspn(last, ".")) >= 0) replace(s, xstrndup(last, 1));
}

static int most_similar(const Question *q, const char *response)
{
    size_t n = strlen(response);
    int best = 0;
    double highest = 0;
    for (int k = 0; k < q->n_options; k++) {
        char *option = lower(q->option[k], strlen(q->option[k]));
        double ratio = similarity_ratio(option, response + (n > MAX_COMPARED ? n - MAX_COMPARED : 0));
        if (ratio > highest) highest = ratio, best = k;
        free(option);
    }
    return best;
}

static int choose(const Question *q, const char *low, const char **rule)
{
    char *s = xstrdup(low);
    cut_paragraphs(&s, q);
    replace(&s, parse(s));
    replace(&s, lower(s, strlen(s)));
    replace(&s, stripped(s));
    replace(&s, without(s, "\n"));
    char *head = xstrndup(s, strcspn(s, "."));
    const char *colon = strrchr(head, ':'), *cut = colon ? colon + 1 : head;
    int value = letter_of(q, cut, strlen(cut));
    *rule = "letter";
    for (int k = 0; k < q->n_options && value < 0; k++) {
        char *option = lower(q->option[k], strlen(q->option[k]));
        if (!strcmp(option, cut)) value = k, *rule = "option_text";
        free(option);
    }
    if (value < 0) value = most_similar(q, s), *rule = "similar";
    free(head);
    free(s);
    return value;
}

/* ---- verdict ----------------------------------------------------------------------------------------------------- */

static bool judge_text(Answer *a, const Question *q, const char *low)
{
    bool open = q->kind == ANSWER_OPEN;
    char *gold = lower(q->gold, strlen(q->gold)), *whole = open ? stripped(low) : xstrdup(low), *s = parse(whole);
    free(whole);
    if (!open) replace(&s, without(s, "\n."));
    bool right = !strcmp(s, gold);
    free(gold);
    answer_given(a, s, "equal");
    return right;
}

static bool judge_yesno(Answer *a, const Question *q, const char *low)
{
    char *gold = question_gold(q), *parsed = parse(low), *s = without(parsed, "\n.");
    bool yes = strstr(s, "yes"), no = strstr(s, "no");
    bool right = yes != no && gold && strstr(s, gold);
    if (yes != no) answer_given(a, xstrdup(yes ? "yes" : "no"), "contains");
    else answer_none(a, yes ? ANSWER_ABSTAINED : ANSWER_UNPARSED, yes ? "conflict" : "nothing");
    free(gold);
    free(parsed);
    free(s);
    return right;
}

bool medevalkit_judge(Answer *a, const Question *q, const char *response, size_t n)
{
    char *low = lower(response, n);
    bool right;
    if (q->kind == ANSWER_CHOICE) {
        const char *rule;
        int value = choose(q, low, &rule);
        char *gold = question_gold(q);
        right = gold[0] == 'A' + value;
        free(gold);
        answer_given(a, xasprintf("%c", 'A' + value), rule);
    } else if (q->kind == ANSWER_YESNO) {
        right = judge_yesno(a, q, low);
    } else {
        right = judge_text(a, q, low);
    }
    free(low);
    return right;
}
