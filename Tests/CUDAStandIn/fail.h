// Ends a thread block whose kernel does what a device does not allow.
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

/// The state of an operating system thread that runs blocks: where to continue after a fault, whether a block runs now,
/// and the error of the fault.
thread_local sigjmp_buf after_fault;
thread_local volatile bool is_in_block = false;
thread_local volatile CUresult fault = CUDA_SUCCESS;
/// What the address sanitizer knows about the stack of the scheduler, and about the stack of a fiber that a fault ends.
thread_local sanitizer::Stack scheduler_stack, fault_stack;

/// Ends the block that this operating system thread runs: `run_block` (fibers.h) returns the error.
[[noreturn]] void end_block(CUresult error) {
  fault = error;
  fault_stack.leave(scheduler_stack, true);
  siglongjmp(after_fault, 1);
}

/// Prints why a kernel fails, and ends its block; outside of a block, ends the process.
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

/// Handles SIGSEGV and SIGBUS: ends the block if its kernel accessed memory that does not exist.
void handle_fault(int signal) {
  if (is_in_block) end_block(CUDA_ERROR_ILLEGAL_ADDRESS);
  // No kernel caused the fault. After the return, the same access faults again, and the default action ends the
  // process.
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
