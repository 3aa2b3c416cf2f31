#ifndef CSIMD_THREADS_H
#define CSIMD_THREADS_H

#include <stddef.h>

/// A pool of threads that share the numbered tasks of one job at a time. Threads without work spin for
/// some 100 µs, then sleep, so that a step that follows another finds them awake.

typedef struct csimd_pool csimd_pool;
typedef void (*csimd_task)(void *context, size_t index, size_t worker);

/// A pool of `threads` workers, the calling thread (worker 0) counted; NULL without memory or threads.
csimd_pool *csimd_pool_open(size_t threads);
void csimd_pool_close(csimd_pool *pool);

/// Calls `task` for each index below `count` and returns when all are done. Workers have numbers below `count`, too. One
/// caller at a time.
void csimd_pool_run(csimd_pool *pool, size_t count, csimd_task task, void *context);

/// The cores this process may use: its affinity, and its control group's quota rounded up.
size_t csimd_available_cores(void);

#endif
