#ifndef CSIMD_THREADS_H
#define CSIMD_THREADS_H

#include <stddef.h>

/// A pool of threads that share the numbered tasks of one job at a time. Threads without work spin for about 100 µs
/// before they sleep, so that they are still awake if the next job follows soon.

typedef struct csimd_pool csimd_pool;
/// A function that runs one task of a job. It receives the index of the task, and the index of the worker that calls
/// it.
typedef void (*csimd_task)(void *context, size_t index, size_t worker);

/// Creates a pool of `threads` workers, including the calling thread (worker 0); NULL if out of memory or threads.
csimd_pool *csimd_pool_open(size_t threads);
void csimd_pool_close(csimd_pool *pool);

/// Calls `task` for each index below `count` and returns when all calls are done. Worker indices are below `count`,
/// too. Only one thread at a time may call `csimd_pool_run` on a pool.
void csimd_pool_run(csimd_pool *pool, size_t count, csimd_task task, void *context);

/// The number of cores that this process may use: the number of cores of its affinity mask or, if smaller, the quota in
/// /sys/fs/cgroup/cpu.max, rounded up.
size_t csimd_available_cores(void);

#endif
