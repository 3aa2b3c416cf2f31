// The address sanitizer for kernels. With STAND_IN_SANITIZE=address, the stand-in for NVRTC compiles kernels with
// -fsanitize=address; the process must have loaded the runtime library of the sanitizer first (LD_PRELOAD). The
// stand-in for the driver is not compiled with the sanitizer. It tells the sanitizer which device memory exists and on
// which stack a thread of a kernel runs, and checks the memory that it accesses itself on behalf of a kernel.
//
// What is found:
// - accesses of kernels outside of arrays in shared memory, and outside of arrays of a thread, if they touch the red
//   zone beside the array
// - accesses of kernels and copies to the 4 KiB before and after an allocation of the driver, and to freed allocations
//
// Apus takes device memory from the driver in blocks, for its memory pool and for the intermediate values of plans. A
// block is at least 256 bytes larger than requested, and kernels may read beyond the end of a value, within its block.
// So the sanitizer finds neither an access outside of a value that stays in the value's block, nor an access to a value
// whose block the pool has taken back.
#pragma once
#include <stddef.h>

// The functions exist only if the process has loaded the runtime library.
extern "C" {
__attribute__((weak)) void __asan_poison_memory_region(const volatile void *start, size_t bytes);
__attribute__((weak)) void __asan_unpoison_memory_region(const volatile void *start, size_t bytes);
__attribute__((weak)) void __asan_loadN(void *start, size_t bytes);
__attribute__((weak)) void __asan_storeN(void *start, size_t bytes);
__attribute__((weak)) void __sanitizer_start_switch_fiber(void **save, const void *bottom, size_t bytes);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void *saved, const void **bottom, size_t *bytes);
}

namespace sanitizer {

inline bool is_loaded() { return __asan_poison_memory_region != nullptr; }

inline void poison(void *start, size_t bytes) {
  if (is_loaded()) __asan_poison_memory_region(start, bytes);
}

inline void unpoison(void *start, size_t bytes) {
  if (is_loaded()) __asan_unpoison_memory_region(start, bytes);
}

/// Reports an error if a read on behalf of a kernel touches memory that does not exist.
inline void check_read(const void *start, size_t bytes) {
  if (is_loaded() && bytes > 0) __asan_loadN((void *)start, bytes);
}

/// Reports an error if a write on behalf of a kernel touches memory that does not exist.
inline void check_write(void *start, size_t bytes) {
  if (is_loaded() && bytes > 0) __asan_storeN(start, bytes);
}

/// A stack that is not in use, with what the sanitizer stores about it.
struct Stack {
  const void *bottom = nullptr;
  size_t bytes = 0;
  void *saved = nullptr;

  /// Called before a switch from this stack to another one. If `ends`, this stack is not used again.
  void leave(const Stack &next, bool ends = false) {
    if (is_loaded()) __sanitizer_start_switch_fiber(ends ? nullptr : &saved, next.bottom, next.bytes);
  }

  /// Called after a switch to this stack. Stores in `previous` the bottom and the size of the stack that was left.
  void enter(Stack *previous = nullptr) {
    if (!is_loaded()) return;
    const void *from = nullptr;
    size_t size = 0;
    __sanitizer_finish_switch_fiber(saved, &from, &size);
    if (previous != nullptr) previous->bottom = from, previous->bytes = size;
  }
};

} // namespace sanitizer
