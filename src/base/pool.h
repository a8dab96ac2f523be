/*
 * pool.h - the one thread pool of the process.
 *
 * Work is cut into tasks by the caller; which thread runs which task never changes a result, so a caller that cuts the
 * same way gets the same bits with any number of threads.  Called from inside a task, or from a thread that is not the
 * one that owns the pool, pool_run does the tasks itself, one after the other.
 *
 *   pool_start(2);
 *   pool_run(n_tasks, fn, &args);      fn(&args, task) for task in [0, n_tasks); returns when all are done
 */
#ifndef OSLER_BASE_POOL_H
#define OSLER_BASE_POOL_H

/* Starts `threads` workers (the caller counts as one; 0 = one per core the process may use). May be called again. */
void pool_start(int threads);
void pool_stop(void);
int pool_threads(void); /* 1 before pool_start */
/*
 * Number of the running worker, 0 .. pool_threads()-1; 0 outside tasks and in threads that are not the pool's, so
 * scratch per worker belongs to work that only the owner of the pool starts.
 */
int pool_worker(void);

void pool_run(int n_tasks, void (*fn)(void *arg, int task), void *arg);

/* [lo, hi) of the k-th of `parts` nearly equal parts of n items, cut at multiples of `grain`. */
void pool_slice(int n, int parts, int k, int grain, int *lo, int *hi);

#endif
