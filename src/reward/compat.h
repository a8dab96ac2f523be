/*
 * compat.h - verdicts as MedEvalKit gives them, for comparison with tables that were made with it.
 *
 *   Answer a;
 *   bool right = medevalkit_judge(&a, &q, response, n);
 *
 * Imitated (source: the public repository alibaba-damo-academy/MedEvalKit, utils/utils.py, and mathruler for the box):
 *   - the text after the last "answer is", "answer:", "final answer" ..., after the box or the answer tag;
 *   - choice: that text up to the first point, behind its last colon, compared with the letter and with the options;
 *     where it is neither, the option whose text is most similar to the response (difflib's ratio) is taken, so a reply
 *     that names nothing scores like a guess.  Rule "similar" counts those;
 *   - yes/no: exactly one of "yes" and "no" occurs in the text, even within "normal" or "nodule";
 *   - short, number: the text without points and line breaks equals the answer, letter by letter;
 *   - open: that text of the stripped response equals the answer, spaces included; without a judge nothing else counts as right.
 * Thinking is not cut off, because MedEvalKit does not.
 *
 * Not imitated, because they are faults of counting and of printing, not of judging:
 *   - with a judge, VQA-RAD and PathVQA (at some commits) add the judged open answers to a total that already holds the
 *     exactly matching ones: five right answers of five print as 7/5 = 140 %;
 *   - a version that sets the closed hits to zero and never restores them prints four right of eight, all right, as 50 %;
 *   - SLAKE judges closed questions a second time and adds both verdicts: closed accuracy up to 200 %;
 *   - precision, recall and F1 of open answers are printed under each other's names;
 *   - MMMU draws an option at random for a reply it cannot read; here the reply counts as what it says by "similar".
 * An item counts once here, whatever the number of ways in which it is right.
 */
#ifndef OSLER_REWARD_COMPAT_H
#define OSLER_REWARD_COMPAT_H

#include "reward/answer.h"

/* Fills `a` with what was compared and the rule; returns the verdict. q must have passed question_check. */
bool medevalkit_judge(Answer *a, const Question *q, const char *response, size_t n);

/* difflib.SequenceMatcher(None, a, b).ratio() over the characters of two UTF-8 texts, its junk heuristic included. */
double similarity_ratio(const char *a, const char *b);

#endif
