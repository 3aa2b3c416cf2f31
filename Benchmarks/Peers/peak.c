// Measures the processor's peak rate of multiply-adds. Each thread computes several independent chains of multiply-adds
// in registers, without memory accesses.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stddef.h>

#if defined(__AVX512F__)
typedef float Vector __attribute__((vector_size(64)));
#elif defined(__AVX__)
typedef float Vector __attribute__((vector_size(32)));
#else
typedef float Vector __attribute__((vector_size(16)));
#endif

// A core has two multiply-add units. Each unit starts one multiply-add per cycle, and a multiply-add takes four or five
// cycles. So ten chains keep both units busy. Twelve chains, the factor and the summand fit into 16 registers.
enum { chains = 12, lanes = sizeof(Vector) / sizeof(float) };

struct part {
  long rounds;
  float result;
};

static void *work(void *argument) {
  struct part *part = argument;
  Vector sum[chains], factor, summand;
  for (int lane = 0; lane < lanes; lane++) {
    factor[lane] = 0.999f;
    summand[lane] = 0.001f;
    for (int chain = 0; chain < chains; chain++) sum[chain][lane] = chain;
  }
  // The compiler must not merge the chains or fold the constants.
  __asm__ volatile("" : "+x"(factor), "+x"(summand));
  for (long round = 0; round < part->rounds; round++) {
#pragma GCC unroll 12
    for (int chain = 0; chain < chains; chain++) sum[chain] = sum[chain] * factor + summand;
  }
  for (int chain = 1; chain < chains; chain++) sum[0] += sum[chain];
  part->result = sum[0][0];
  return NULL;
}

// Pins a thread to core `number` (from 0) of the cores in `allowed`. A thread that is not pinned can share the core of
// its creator for milliseconds.
static void keep_on_core(pthread_t thread, const cpu_set_t *allowed, int number) {
  for (int core = 0; core < CPU_SETSIZE; core++) {
    if (!CPU_ISSET(core, allowed) || number-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    pthread_setaffinity_np(thread, sizeof one, &one);
    return;
  }
}

// Runs `rounds` rounds on each of `threads` threads (at most 64) and returns the number of floating-point operations. A
// round has a multiply-add of vectors for each chain. The multiply-add of one lane counts as 2 operations.
double peak(int threads, long rounds) {
  pthread_t others[64];
  struct part parts[64];
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof allowed, &allowed);
  keep_on_core(pthread_self(), &allowed, 0);
  for (int i = 0; i < threads; i++) {
    parts[i].rounds = rounds;
    if (i == 0) continue;
    pthread_create(others + i, NULL, work, parts + i);
    keep_on_core(others[i], &allowed, i);
  }
  work(parts);
  for (int i = 1; i < threads; i++) pthread_join(others[i], NULL);
  sched_setaffinity(0, sizeof allowed, &allowed);
  return 2.0 * chains * lanes * rounds * threads;
}
