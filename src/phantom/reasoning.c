/*
 * Worked reasoning, composed from what a family thinks about a case (Thought) and its findings.
 *
 * All quote every finding in its canonical words, so that a judge can tell a right reading from an invented one.
 *
 * plain         read, compare, answer
 * orchestrated  problem, key findings, hypotheses, evidence for and against, re-check, commit
 * differential  candidates one by one, kept or dropped
 * intuitive     the impression first, then what carries it
 * analytical    rule and numbers, step by step
 * bayesian      prior, likelihood, posterior
 */
#include "phantom/family.h"

#include <string.h>

static const char *pick(Rng *rng, const char *const *phrase)
{
    return draw_phrase(rng, phrase);
}

static void add_sentence(Buf *b, const char *sentence)
{
    if (!sentence || !*sentence) return;
    buf_printf(b, "%s%s", b->len && b->data[b->len - 1] != '\n' ? " " : "", sentence);
}

static void add_steps(Buf *b, const Thought *h)
{
    for (int i = 0; i < h->steps; i++) add_sentence(b, h->step[i]);
}

void findings_list(Buf *b, const Case *c)
{
    for (int i = 0; i < c->findings; i++) {
        const Finding *f = &c->finding[i];
        buf_str(b, i ? "; " : "");
        if (*f->label) buf_printf(b, "%s: ", f->label);
        buf_str(b, f->text);
    }
}

void commit_sentence(Buf *b, const Case *c, bool letter, Rng *rng)
{
    static const char *const SO[] = {"So the answer is", "The answer is", "Answer:", NULL};
    buf_printf(b, "%s %s", pick(rng, SO), c->answer_text);
    if (letter && c->kind == ASK_CHOICE) buf_printf(b, " (%s)", c->answer);
    buf_byte(b, '.');
}

static void add_commit(Buf *b, const Case *c, Rng *rng)
{
    buf_byte(b, ' ');
    commit_sentence(b, c, false, rng);
}

static void add_measured(Buf *b, const Case *c)
{
    add_sentence(b, "Measured: ");
    findings_list(b, c);
    buf_str(b, ".");
}

static void add_plain(Buf *b, const Case *c, const Thought *h, Rng *rng)
{
    add_measured(b, c);
    add_sentence(b, h->rule);
    add_steps(b, h);
    add_sentence(b, h->conclusion);
    add_commit(b, c, rng);
}

static void add_orchestrated(Buf *b, const Case *c, const Thought *h, Rng *rng)
{
    buf_printf(b, "Problem: %s.\nKey findings: ", h->problem);
    findings_list(b, c);
    buf_str(b, ".\nHypotheses:");
    for (int i = 0; i < h->hypotheses; i++) buf_printf(b, "%s (%d) %s", i ? ";" : "", i + 1, h->hypothesis[i].name);
    buf_printf(b, ".\nRule: %s\nEvidence:", h->rule);
    for (int i = 0; i < h->hypotheses; i++) {
        const Hypothesis *y = &h->hypothesis[i];
        buf_printf(b, " (%d)", i + 1);
        if (*y->pro) buf_printf(b, " for: %s.", y->pro);
        if (*y->contra) buf_printf(b, " against: %s.", y->contra);
    }
    buf_printf(b, "\nRe-check: %s\nCommit: %s", h->check, h->conclusion);
    add_commit(b, c, rng);
}

static void add_differential(Buf *b, const Case *c, const Thought *h, Rng *rng)
{
    static const char *const OPEN[] = {"What could this be?", "Candidates first.", "Several readings are possible.",
                                       NULL};
    add_measured(b, c);
    add_sentence(b, pick(rng, OPEN));
    for (int i = 0; i < h->hypotheses; i++) {
        const Hypothesis *y = &h->hypothesis[i];
        buf_printf(b, " %s %s:", i ? "Next," : "First,", y->name);
        if (*y->pro) buf_printf(b, " %s%s", y->pro, *y->contra ? "," : "");
        if (*y->contra) buf_printf(b, " %s", y->contra);
        buf_str(b, y->holds ? "; kept." : "; dropped.");
    }
    add_sentence(b, h->conclusion);
    add_commit(b, c, rng);
}

static void add_intuitive(Buf *b, const Case *c, const Thought *h, Rng *rng)
{
    static const char *const OPEN[] = {"At first sight:", "The first impression:", "At a glance:", NULL};
    add_sentence(b, pick(rng, OPEN));
    add_sentence(b, h->conclusion);
    buf_str(b, " What carries it: ");
    findings_list(b, c);
    buf_str(b, ".");
    add_commit(b, c, rng);
}

static void add_analytical(Buf *b, const Case *c, const Thought *h, Rng *rng)
{
    int n = 1;
    buf_printf(b, "Step %d, the findings: ", n++);
    findings_list(b, c);
    buf_printf(b, ".\nStep %d, the rule: %s", n++, h->rule);
    for (int i = 0; i < h->steps; i++) buf_printf(b, "\nStep %d: %s", n++, h->step[i]);
    buf_printf(b, "\nStep %d, the check: %s\nStep %d: %s", n, h->check, n + 1, h->conclusion);
    add_commit(b, c, rng);
}

static void add_bayesian(Buf *b, const Case *c, const Thought *h, Rng *rng)
{
    double sum = 0, all = 0;
    for (int i = 0; i < h->hypotheses; i++) {
        sum += h->hypothesis[i].prior * h->hypothesis[i].likelihood;
        all += h->hypothesis[i].prior;
    }
    CHECK(all > 0.999 && all < 1.001, "%s: the priors add up to %.3f", c->id, all);
    buf_str(b, "Before the picture:");
    for (int i = 0; i < h->hypotheses; i++)
        buf_printf(b, "%s %s %.2f", i ? "," : "", h->hypothesis[i].name, h->hypothesis[i].prior);
    buf_str(b, ".\nMeasured: ");
    findings_list(b, c);
    buf_str(b, ".\nLikelihood of that:");
    for (int i = 0; i < h->hypotheses; i++) buf_printf(b, "%s %.2f", i ? "," : "", h->hypothesis[i].likelihood);
    buf_str(b, ".\nAfter it:");
    for (int i = 0; i < h->hypotheses; i++)
        buf_printf(b, "%s %s %.2f", i ? "," : "", h->hypothesis[i].name,
                   h->hypothesis[i].prior * h->hypothesis[i].likelihood / sum);
    buf_str(b, ".\n");
    add_sentence(b, h->conclusion);
    add_commit(b, c, rng);
}

void reasoning_make(Case *c, const Thought *h, Rng *rng)
{
    static void (*const ADD[N_STYLES])(Buf *, const Case *, const Thought *, Rng *) = {
        [STYLE_PLAIN] = add_plain,
        [STYLE_ORCHESTRATED] = add_orchestrated,
        [STYLE_DIFFERENTIAL] = add_differential,
        [STYLE_INTUITIVE] = add_intuitive,
        [STYLE_ANALYTICAL] = add_analytical,
        [STYLE_BAYESIAN] = add_bayesian,
    };
    CHECK(h->problem && h->rule && h->check && h->conclusion && h->steps && h->hypotheses >= 2,
          "%s: an unfinished thought", c->id);
    c->conclusion = case_say(c, "%s", h->conclusion);
    for (int i = 0; i < N_STYLES; i++) {
        Buf b = {0};
        ADD[i](&b, c, h, rng);
        c->reasoning[i] = case_say(c, "%s", b.data);
        buf_release(&b);
    }
}
