/* base/pool: every task once whatever the threads, from inside and outside, and slices that cover. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/pool.h"
#include "base/rng.h"

enum { MAX_TASKS = 1000 };
static atomic_int runs[MAX_TASKS];

static void count_run(void *arg, int task)
{
    atomic_fetch_add(&runs[task], 1);
    (void)arg;
}

static void clear_runs(void)
{
    for (int i = 0; i < MAX_TASKS; i++) atomic_store(&runs[i], 0);
}

static void expect_runs(int n_tasks, int times)
{
    for (int i = 0; i < MAX_TASKS; i++) assert_int_equal(atomic_load(&runs[i]), i < n_tasks ? times : 0);
}

static void each_task_once(void **state)
{
    (void)state;
    static const int TASKS[] = {0, 1, 2, 3, 7, 64, 1000};
    for (int threads = 1; threads <= 5; threads++) {
        pool_start(threads);
        assert_int_equal(pool_threads(), threads);
        for (size_t k = 0; k < sizeof TASKS / sizeof *TASKS; k++) {
            clear_runs();
            pool_run(TASKS[k], count_run, NULL);
            expect_runs(TASKS[k], 1);
        }
    }
    pool_stop();
    assert_int_equal(pool_threads(), 1);
}

/* Calls that follow each other at once: a late worker must not run the next job's tasks with this job's function. */
typedef struct Stamp {
    atomic_int seen[64];
    int job;
} Stamp;

static void stamp_task(void *arg, int task)
{
    Stamp *s = arg;
    atomic_fetch_add(&s->seen[task], s->job);
}

static void stamp_twice(void *arg, int task)
{
    Stamp *s = arg;
    atomic_fetch_add(&s->seen[task], 2 * s->job);
}

static void jobs_do_not_mix(void **state)
{
    (void)state;
    static Stamp s[2];
    pool_start(4);
    for (int job = 1; job <= 20000; job++) {
        Stamp *now = &s[job % 2];
        int n = 1 + job % 64, factor = job % 3 ? 1 : 2;
        memset(now, 0, sizeof *now);
        now->job = job;
        pool_run(n, factor == 1 ? stamp_task : stamp_twice, now);
        for (int i = 0; i < 64; i++)
            if (atomic_load(&now->seen[i]) != (i < n ? factor * job : 0)) fail_msg("job %d, task %d", job, i);
    }
    pool_stop();
}

static atomic_int worker_changed;

static void run_seven(void *arg, int task)
{
    (void)task;
    int before = pool_worker();
    pool_run(7, count_run, arg);
    if (pool_worker() != before) atomic_fetch_add(&worker_changed, 1);
}

static void nested_calls_run_inline(void **state)
{
    (void)state;
    pool_start(3);
    clear_runs();
    pool_run(50, run_seven, NULL);
    expect_runs(7, 50);
    assert_int_equal(atomic_load(&worker_changed), 0);
    pool_stop();
}

static void *run_from_stranger(void *arg)
{
    for (int i = 0; i < 100; i++) pool_run(40, count_run, arg);
    return NULL;
}

static void other_threads_run_inline(void **state)
{
    (void)state;
    pthread_t stranger;
    pool_start(3);
    clear_runs();
    assert_int_equal(pthread_create(&stranger, NULL, run_from_stranger, NULL), 0);
    for (int i = 0; i < 100; i++) pool_run(40, count_run, NULL);
    pthread_join(stranger, NULL);
    expect_runs(40, 200);
    pool_stop();
}

static void starts_again_and_again(void **state)
{
    (void)state;
    clear_runs();
    for (int i = 0; i < 200; i++) {
        pool_start(1 + i % 4);
        pool_run(9, count_run, NULL);
    }
    expect_runs(9, 200);
    pool_start(0);
    assert_true(pool_threads() >= 1);
    pool_stop();
    pool_stop();
    pool_run(9, count_run, NULL);
    expect_runs(9, 201);
}

static atomic_int worker_seen[8], out_of_range;

static void note_worker(void *arg, int task)
{
    (void)arg, (void)task;
    int w = pool_worker();
    if (w < 0 || w >= pool_threads()) atomic_fetch_add(&out_of_range, 1);
    else atomic_fetch_add(&worker_seen[w], 1);
}

static void workers_are_numbered(void **state)
{
    (void)state;
    pool_start(4);
    for (int i = 0; i < 1000; i++) pool_run(16, note_worker, NULL);
    assert_int_equal(atomic_load(&out_of_range), 0);
    int sum = 0;
    for (int i = 0; i < 8; i++) sum += atomic_load(&worker_seen[i]);
    assert_int_equal(sum, 16000);
    assert_int_equal(pool_worker(), 0);
    pool_stop();
}

/* The same cut gives the same bits with any number of threads. */
typedef struct Sum {
    const float *x;
    float part[13];
    int n;
} Sum;

static void sum_part(void *arg, int task)
{
    Sum *s = arg;
    int lo, hi;
    pool_slice(s->n, 13, task, 8, &lo, &hi);
    for (int i = lo; i < hi; i++) s->part[task] += s->x[i];
}

static void threads_do_not_change_bits(void **state)
{
    (void)state;
    enum { N = 100003 };
    float *x = malloc(N * sizeof *x), first = 0;
    Rng r = rng_at(5, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < N; i++) x[i] = (float)rng_normal(&r);
    for (int threads = 1; threads <= 4; threads++) {
        Sum s = {.x = x, .n = N};
        float total = 0;
        pool_start(threads);
        pool_run(13, sum_part, &s);
        for (int i = 0; i < 13; i++) total += s.part[i];
        if (threads == 1) first = total;
        assert_memory_equal(&total, &first, sizeof total);
    }
    pool_stop();
    free(x);
}

static void slices_cover(void **state)
{
    (void)state;
    for (int n = 0; n < 70; n++)
        for (int parts = 1; parts < 12; parts++)
            for (int grain = 1; grain < 20; grain += 3) {
                int at = 0, lo, hi;
                for (int k = 0; k < parts; k++, at = hi) {
                    pool_slice(n, parts, k, grain, &lo, &hi);
                    assert_int_equal(lo, at);
                    assert_true(hi >= lo);
                    assert_true(hi == n || hi % grain == 0);
                }
                assert_int_equal(at, n);
            }
    int lo, hi;
    pool_slice(INT32_MAX, 1000, 999, 64, &lo, &hi);
    assert_int_equal(hi, INT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_once),
        cmocka_unit_test(jobs_do_not_mix),
        cmocka_unit_test(nested_calls_run_inline),
        cmocka_unit_test(other_threads_run_inline),
        cmocka_unit_test(starts_again_and_again),
        cmocka_unit_test(workers_are_numbered),
        cmocka_unit_test(slices_cover),
        cmocka_unit_test(threads_do_not_change_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
