#include <cblas.h>

// OpenBLAS calls this function before a fork. OpenBLAS's header does not declare the function, and some builds lack it.
extern int blas_thread_shutdown_(void) __attribute__((weak));

/// Makes OpenBLAS run each call on the calling thread. If this build has `blas_thread_shutdown_`, also ends the threads
/// that OpenBLAS started when it was loaded. These threads would spin for a tenth of a second on cores that other
/// threads need.
static inline void openblas_use_calling_thread(void) {
  openblas_set_num_threads(1);
  if (blas_thread_shutdown_) blas_thread_shutdown_();
}
