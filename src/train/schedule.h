/*
 * schedule.h - the learning rate over time, as a factor of the peak rate.
 *
 *   constant   rises over `warmup` steps, then 1
 *   linear     rises, then falls in a straight line to 0 at `total`
 *   cosine     rises, then half a cosine down to 0 at `total`
 *
 *   Schedule s = {SCHEDULE_COSINE, .warmup = 10, .total = 1000};
 *   lr = peak * schedule_factor(&s, step);        step counts from 0: with a warm-up the first step has rate 0
 *
 * Equal to transformers' get_{constant,linear,cosine}_schedule_with_warmup, whose scheduler counts finished steps.
 */
#ifndef OSLER_TRAIN_SCHEDULE_H
#define OSLER_TRAIN_SCHEDULE_H

#include <stdint.h>

#define SCHEDULE_CHOICES "constant|linear|cosine"
typedef enum ScheduleType { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE } ScheduleType; /* in that order */

typedef struct Schedule {
    ScheduleType type;
    int64_t warmup, total; /* steps */
} Schedule;

double schedule_factor(const Schedule *s, int64_t step);

/* Warm-up steps of a run of `total` steps: `steps` where it is not 0, else the share `ratio` of them, rounded up. */
int64_t schedule_warmup(int64_t steps, double ratio, int64_t total);

#endif
