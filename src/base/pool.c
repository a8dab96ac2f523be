#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"

/*
 * One job at a time.  `ticket` is (job number << 32 | tasks not yet claimed): a worker claims the next task by counting
 * it down with compare-and-swap.  Trap: a late worker may hold the ticket of a job that is over while the owner already
 * writes the next one's fn, arg and n.  It cannot claim from a mixture: the owner writes them only after the count came
 * to 0, and then the late worker's swap fails.
 *
 * Both sides spin before they sleep, because the calls of a training step follow each other within microseconds.  Who
 * sleeps first announces it (n_asleep, owner_asleep) and then looks again; who changes what the sleeper waits for looks
 * at the announcement afterwards.  Sequentially consistent order makes one of the two see the other.
 */
typedef void TaskFn(void *arg, int task);

enum { MAX_THREADS = 1024, SPINS = 2000 };

static struct {
    _Atomic uint64_t ticket;
    _Atomic(TaskFn *) fn;
    _Atomic(void *) arg;
    atomic_int n_tasks;
    atomic_int unfinished; /* tasks not yet done */
    atomic_int n_asleep;
    atomic_bool owner_asleep, stop;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    pthread_t owner, thread[MAX_THREADS];
    int n_threads; /* the owner counted; 0 before pool_start */
    int spins;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

static _Thread_local int worker_number;
static _Thread_local bool in_task;

static void spin_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint32_t unclaimed(uint64_t ticket)
{
    return (uint32_t)ticket;
}

/* Does tasks of the current job until none is left to claim. */
static void do_tasks(void)
{
    for (;;) {
        uint64_t t = atomic_load(&pool.ticket);
        TaskFn *fn = atomic_load(&pool.fn);
        void *arg = atomic_load(&pool.arg);
        int n = atomic_load(&pool.n_tasks);
        if (unclaimed(t) == 0) return;
        if (!atomic_compare_exchange_weak(&pool.ticket, &t, t - 1)) continue;
        in_task = true;
        fn(arg, n - (int)unclaimed(t));
        in_task = false;
        if (atomic_fetch_sub(&pool.unfinished, 1) == 1 && atomic_load(&pool.owner_asleep)) {
            pthread_mutex_lock(&pool.lock);
            pthread_cond_signal(&pool.done);
            pthread_mutex_unlock(&pool.lock);
        }
    }
}

static bool has_work(void)
{
    return unclaimed(atomic_load(&pool.ticket)) > 0 || atomic_load(&pool.stop);
}

static void wait_for_work(void)
{
    for (int i = 0; i < pool.spins; i++) {
        if (has_work()) return;
        spin_pause();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.n_asleep, 1);
    while (!has_work()) pthread_cond_wait(&pool.work, &pool.lock);
    atomic_fetch_sub(&pool.n_asleep, 1);
    pthread_mutex_unlock(&pool.lock);
}

static void wait_for_done(void)
{
    for (int i = 0; i < pool.spins; i++) {
        if (atomic_load(&pool.unfinished) == 0) return;
        spin_pause();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.owner_asleep, true);
    while (atomic_load(&pool.unfinished) > 0) pthread_cond_wait(&pool.done, &pool.lock);
    atomic_store(&pool.owner_asleep, false);
    pthread_mutex_unlock(&pool.lock);
}

static void wake_workers(void)
{
    if (atomic_load(&pool.n_asleep) == 0) return;
    pthread_mutex_lock(&pool.lock);
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
}

static void *worker(void *number)
{
    worker_number = (int)(intptr_t)number;
    while (!atomic_load(&pool.stop)) {
        wait_for_work();
        do_tasks();
    }
    return NULL;
}

/* Cores this process may run on: its affinity mask, and the processor quota of its control group where there is one. */
static int cores_allowed(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "r");
    if (!f) return n;
    double quota, period;
    if (fscanf(f, "%lf %lf", &quota, &period) == 2 && period > 0 && quota / period < n) {
        n = (int)(quota / period + 0.5);
        if (n < 1) n = 1;
    }
    fclose(f);
    return n;
}

void pool_start(int threads)
{
    pool_stop();
    int cores = cores_allowed();
    if (threads <= 0) threads = cores;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    pool.owner = pthread_self();
    pool.spins = threads <= cores ? SPINS : 0;
    pool.n_threads = 1;
    while (pool.n_threads < threads) {
        int i = pool.n_threads;
        if (pthread_create(&pool.thread[i], NULL, worker, (void *)(intptr_t)i)) {
            log_warn("only %d of %d threads could be started", i, threads);
            break;
        }
        pool.n_threads++;
    }
}

void pool_stop(void)
{
    atomic_store(&pool.stop, true);
    wake_workers();
    for (int i = 1; i < pool.n_threads; i++) pthread_join(pool.thread[i], NULL);
    pool.n_threads = 0;
    atomic_store(&pool.stop, false);
}

int pool_threads(void)
{
    return pool.n_threads > 0 ? pool.n_threads : 1;
}

int pool_worker(void)
{
    return worker_number;
}

void pool_run(int n_tasks, void (*fn)(void *arg, int task), void *arg)
{
    if (n_tasks <= 1 || in_task || pool.n_threads <= 1 || !pthread_equal(pool.owner, pthread_self())) {
        for (int i = 0; i < n_tasks; i++) fn(arg, i);
        return;
    }
    atomic_store(&pool.fn, fn);
    atomic_store(&pool.arg, arg);
    atomic_store(&pool.n_tasks, n_tasks);
    atomic_store(&pool.unfinished, n_tasks);
    uint64_t job = (atomic_load(&pool.ticket) >> 32) + 1;
    atomic_store(&pool.ticket, job << 32 | (uint32_t)n_tasks);
    wake_workers();
    do_tasks();
    wait_for_done();
}

void pool_slice(int n, int parts, int k, int grain, int *lo, int *hi)
{
    CHECK(parts > 0 && k >= 0 && k < parts && grain > 0, "part %d of %d, grain %d", k, parts, grain);
    int64_t units = ((int64_t)n + grain - 1) / grain;
    int64_t from = units * k / parts * grain, to = units * (k + 1) / parts * grain;
    *lo = (int)(from < n ? from : n);
    *hi = (int)(to < n ? to : n);
}
