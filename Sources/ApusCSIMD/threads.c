#define _GNU_SOURCE
#include "../../Kernels/prelude/indices.h"
#include "csimd_threads.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SPIN_NANOSECONDS 100000
#define OPEN ((uint64_t)1 << 16)
#define ACTIVE (OPEN - 1)
#define GENERATION(state) ((state) >> 17)

// The range of tasks that a worker begins with. Similar jobs give a worker the same range, so the data of its tasks are
// probably still in the caches of its core. A worker that has finished its range steals tasks from other ranges.
struct share {
  _Alignas(64) _Atomic size_t next;
  size_t end;
};

struct csimd_pool {
  // generation · 2^17 + (2^16 while a job accepts workers) + number of workers inside the job. A job is one call of
  // csimd_pool_run, and its generation is its number. The job's fields stay valid while a worker is inside; a worker
  // that wakes up late finds the job closed.
  _Alignas(64) _Atomic uint64_t state;
  // The job's fields are not in the cache line of `state`, which other cores poll: each write to that line would first
  // have to take it from these cores.
  _Alignas(64) csimd_task task;
  void *context;
  // The number of workers that run tasks of the job.
  size_t workers;
  struct share *shares;
  _Alignas(64) _Atomic uint32_t wake_sequence;
  _Atomic uint32_t sleepers;
  _Atomic int is_closing;
  size_t threads;
  pthread_t *handles;
};

typedef struct {
  csimd_pool *pool;
  size_t worker;
} start_argument;

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void work(csimd_pool *pool, size_t worker) {
  if (worker >= pool->workers) return;
  size_t owner = worker;
  for (size_t i = 0; i < pool->workers; i += 1) {
    struct share *share = &pool->shares[owner];
    // Check before adding: an atomic add would take the share's cache line from the worker that owns the share.
    while (atomic_load_explicit(&share->next, memory_order_relaxed) < share->end) {
      size_t index = atomic_fetch_add_explicit(&share->next, 1, memory_order_relaxed);
      if (index < share->end) pool->task(pool->context, index, worker);
    }
    owner = owner + 1 == pool->workers ? 0 : owner + 1;
  }
}

static int is_news(csimd_pool *pool, uint64_t seen) {
  uint64_t state = atomic_load(&pool->state);
  return ((state & OPEN) && GENERATION(state) != seen) || atomic_load(&pool->is_closing);
}

static void wait_for_news(csimd_pool *pool, uint64_t seen) {
  uint64_t deadline = now() + SPIN_NANOSECONDS;
  do {
    for (int i = 0; i < 64; i += 1) {
      if (is_news(pool, seen)) return;
      relax();
    }
  } while (now() < deadline);
  uint32_t sequence = atomic_load(&pool->wake_sequence);
  atomic_fetch_add(&pool->sleepers, 1);
  // `wake_sequence` was read before this check of `is_news`, so no wake-up is lost: a job that is published after the
  // check changes `wake_sequence`, and the wait returns.
  if (!is_news(pool, seen)) syscall(SYS_futex, &pool->wake_sequence, FUTEX_WAIT_PRIVATE, sequence, NULL, NULL, 0);
  atomic_fetch_sub(&pool->sleepers, 1);
}

static void wake_sleepers(csimd_pool *pool) {
  if (atomic_load(&pool->sleepers) == 0) return;
  atomic_fetch_add(&pool->wake_sequence, 1);
  syscall(SYS_futex, &pool->wake_sequence, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void *worker_main(void *argument) {
  start_argument start = *(start_argument *)argument;
  free(argument);
  csimd_pool *pool = start.pool;
  uint64_t seen = 0;
  while (!atomic_load(&pool->is_closing)) {
    uint64_t state = atomic_load(&pool->state);
    if (!(state & OPEN) || GENERATION(state) == seen) {
      wait_for_news(pool, seen);
    } else if (atomic_compare_exchange_weak(&pool->state, &state, state + 1)) {
      seen = GENERATION(state);
      work(pool, start.worker);
      atomic_fetch_sub(&pool->state, 1);
    }
  }
  return NULL;
}

csimd_pool *csimd_pool_open(size_t threads) {
  csimd_pool *pool = aligned_alloc(64, sizeof(csimd_pool));
  if (!pool) return NULL;
  *pool = (csimd_pool){.threads = 1};
  pool->handles = calloc(threads, sizeof(pthread_t));
  pool->shares = aligned_alloc(64, threads * sizeof(struct share));
  if (!pool->handles || !pool->shares) {
    csimd_pool_close(pool);
    return NULL;
  }
  for (size_t worker = 1; worker < threads; worker += 1) {
    start_argument *argument = malloc(sizeof *argument);
    if (!argument) break;
    *argument = (start_argument){pool, worker};
    if (pthread_create(&pool->handles[worker], NULL, worker_main, argument) != 0) {
      free(argument);
      break;
    }
    pool->threads += 1;
  }
  if (pool->threads == threads) return pool;
  csimd_pool_close(pool);
  return NULL;
}

void csimd_pool_close(csimd_pool *pool) {
  atomic_store(&pool->is_closing, 1);
  atomic_fetch_add(&pool->wake_sequence, 1);
  syscall(SYS_futex, &pool->wake_sequence, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
  for (size_t worker = 1; worker < pool->threads; worker += 1) pthread_join(pool->handles[worker], NULL);
  free(pool->handles);
  free(pool->shares);
  free(pool);
}

void csimd_pool_run(csimd_pool *pool, size_t count, csimd_task task, void *context) {
  if (count <= 1 || pool->threads == 1) {
    for (size_t index = 0; index < count; index += 1) task(context, index, 0);
    return;
  }
  size_t workers = count < pool->threads ? count : pool->threads;
  for (size_t worker = 0; worker < workers; worker += 1) {
    struct share *share = &pool->shares[worker];
    atomic_store_explicit(&share->next, count * worker / workers, memory_order_relaxed);
    share->end = count * (worker + 1) / workers;
  }
  pool->workers = workers;
  pool->task = task;
  pool->context = context;
  uint64_t generation = GENERATION(atomic_load(&pool->state)) + 1;
  atomic_store(&pool->state, generation << 17 | OPEN);
  wake_sleepers(pool);
  work(pool, 0);
  atomic_fetch_and(&pool->state, ~OPEN);
  for (int i = 0; atomic_load(&pool->state) & ACTIVE; i += 1) {
    // After a while, yield: spinning could keep a preempted worker from running.
    if (i > 2000) sched_yield();
    else relax();
  }
}

size_t csimd_available_cores(void) {
  size_t cores = 1;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    int count = CPU_COUNT(&set);
    if (count > 1) cores = (size_t)count;
  }
  FILE *file = fopen("/sys/fs/cgroup/cpu.max", "r");
  if (file) {
    unsigned long long quota, period;
    if (fscanf(file, "%llu %llu", &quota, &period) == 2 && period > 0) {
      size_t allowed = (size_t)CEIL_DIVIDE(quota, period);
      if (allowed >= 1 && allowed < cores) cores = allowed;
    }
    fclose(file);
  }
  return cores;
}
