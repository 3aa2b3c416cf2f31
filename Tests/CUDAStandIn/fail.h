// The end of a block whose kernel does what a device does not allow.
#pragma once
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../Sources/CCUDA/include/ccuda.h"
#include "sanitizer.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

/// The state of an operating system thread that runs a block: where to continue after a fault, and with which error.
thread_local sigjmp_buf after_fault;
thread_local volatile bool is_in_block = false;
thread_local volatile CUresult fault = CUDA_SUCCESS;
/// The stack of the scheduler, and the stack that a fault leaves.
thread_local sanitizer::Stack scheduler_stack, fault_stack;

/// Ends the block that this operating system thread runs.
[[noreturn]] void end_block(CUresult error) {
  fault = error;
  fault_stack.leave(scheduler_stack, true);
  siglongjmp(after_fault, 1);
}

/// Prints why a kernel fails, and ends its block.
[[noreturn]] __attribute__((format(printf, 2, 3))) void fail(CUresult error, const char *format, ...) {
  va_list values;
  va_start(values, format);
  fputs("CUDA stand-in: ", stderr);
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
  va_end(values);
  if (!is_in_block) abort();
  end_block(error);
}

/// Ends the block of the thread whose kernel accessed memory that does not exist.
void handle_fault(int signal) {
  if (is_in_block) end_block(CUDA_ERROR_ILLEGAL_ADDRESS);
  // The fault is not a kernel's. After the return, it ends the process.
  ::signal(signal, SIG_DFL);
}

/// Fails if an address that an instruction accesses is not a multiple of `bytes`.
void check_alignment(const void *address, size_t bytes, const char *instruction) {
  if ((size_t)address % bytes == 0) return;
  fail(
      CUDA_ERROR_MISALIGNED_ADDRESS, "%s accesses %p, which is not a multiple of %zu bytes", instruction, address,
      bytes);
}

} // namespace
