// Copies memory with several threads at once, by memcpy or by non-temporal stores, which bypass the caches.
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef float Line __attribute__((vector_size(64)));

struct part {
  char *to;
  const char *from;
  size_t size;
  int streaming;
};

static void *copy_part(void *argument) {
  const struct part *part = argument;
  if (!part->streaming) {
    memcpy(part->to, part->from, part->size);
    return NULL;
  }
  Line *to = (Line *)part->to;
  const Line *from = (const Line *)part->from;
  for (size_t i = 0; i < part->size / sizeof(Line); i++) {
#if __has_builtin(__builtin_nontemporal_store)
    __builtin_nontemporal_store(from[i], to + i);
#elif defined(__AVX512F__)
    __builtin_ia32_movntps512((float *)(to + i), from[i]);
#elif defined(__AVX__)
    typedef float Half __attribute__((vector_size(32)));
    const Half *halves = (const Half *)(from + i);
    __builtin_ia32_movntps256((float *)(to + i), halves[0]);
    __builtin_ia32_movntps256((float *)(to + i) + 8, halves[1]);
#else
    to[i] = from[i];
#endif
  }
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return NULL;
}

// Copies `size` bytes with `threads` threads; there may be at most 64. `size` must be a multiple of 64 * `threads`, and
// both pointers must be aligned to 64 bytes. If `streaming` is 0, each thread calls memcpy. Otherwise the threads use
// non-temporal stores, or plain stores if the compiler or the processor has no non-temporal ones.
void copy(char *to, const char *from, size_t size, int threads, int streaming) {
  pthread_t others[64];
  struct part parts[64];
  size_t share = size / threads;
  for (int i = 0; i < threads; i++) {
    parts[i] = (struct part){to + i * share, from + i * share, share, streaming};
    if (i > 0) pthread_create(others + i, NULL, copy_part, parts + i);
  }
  copy_part(parts);
  for (int i = 1; i < threads; i++) pthread_join(others[i], NULL);
}
