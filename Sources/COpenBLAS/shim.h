#include <cblas.h>

// What the library itself calls ahead of a fork; not in its header, nor in all of its builds.
extern int blas_thread_shutdown_(void) __attribute__((weak));

/// Runs each call on the thread that makes it. The threads that the library started when it was loaded are ended: they
/// would spin for a tenth of a second, on cores that are wanted.
static inline void openblas_use_calling_thread(void) {
  openblas_set_num_threads(1);
  if (blas_thread_shutdown_) blas_thread_shutdown_();
}
