// The functions of the driver that kernels call for barriers, exchanges of a warp, and asynchronous copies.
#pragma once
#include "fibres.h"

EXPORT void stand_in_set_reverse(int value) { is_reverse = value != 0; }

/// 0: asynchronous effects land late; 1: at once; 2: those that read shared memory land late. See copies.h.
EXPORT void stand_in_set_copies(int value) { landing = (Landing)value; }

EXPORT void stand_in_barrier(void) { runner.leave(Fibre::at_barrier); }

EXPORT void stand_in_check_alignment(const void *address, size_t bytes, const char *instruction) {
  check_alignment(address, bytes, instruction);
}

/// What clang passes for an access that -fsanitize=alignment finds.
struct MisalignedAccess {
  const char *file;
  uint32_t line, column;
  const struct {
    uint16_t kind, info;
    char name[1];
  } *type;
  unsigned char log_alignment, kind;
};

EXPORT void __ubsan_handle_type_mismatch_v1_abort(const MisalignedAccess *access, uintptr_t address) {
  fail(
      CUDA_ERROR_MISALIGNED_ADDRESS, "line %u of a program accesses %s at %p, which is not a multiple of %d bytes",
      access->line, access->type->name, (void *)address, 1 << access->log_alignment);
}

// MARK: - Exchanges of a warp

EXPORT void stand_in_exchange(const void *value, size_t bytes) {
  Fibre &fibre = runner.fibre();
  sanitizer::check_read(value, bytes);
  memcpy(fibre.given[fibre.exchange_count % 2], value, bytes);
  fibre.exchange_count += 1;
  runner.leave(Fibre::at_exchange);
}

EXPORT const void *stand_in_given(unsigned int lane) {
  int source = runner.current / warp_size * warp_size + (int)lane;
  const Fibre &fibre = runner.fibres[source < runner.count ? source : runner.current];
  // The other thread may have begun its next exchange.
  return fibre.given[(runner.fibre().exchange_count - 1) % 2];
}

// MARK: - Asynchronous copies

EXPORT void stand_in_copy(void *to, const void *from, int bytes) {
  check_alignment(to, 16, "COPY_ASYNC");
  check_alignment(from, 16, "COPY_ASYNC");
  if (bytes < 0 || bytes > 16) fail(CUDA_ERROR_LAUNCH_FAILED, "COPY_ASYNC of %d bytes", bytes);
  sanitizer::check_write(to, 16);
  sanitizer::check_read(from, (size_t)bytes);
  runner.fibre().copies.start({to, from, bytes});
}

EXPORT void stand_in_commit_copies(void) { runner.fibre().copies.commit(); }

EXPORT void stand_in_wait_for_copies(size_t pending) { runner.fibre().copies.wait(pending); }
