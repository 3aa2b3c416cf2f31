// The functions that the stand-in for the driver exports to kernels: barriers, exchanges between the threads of a warp,
// and asynchronous instructions.
#pragma once
#include "fibers.h"

EXPORT void stand_in_set_reverse(int value) { is_reverse = value != 0; }

/// 0: asynchronous effects land late; 1: at once; 2: effects that read shared memory land late, others at once. See
/// copies.h.
EXPORT void stand_in_set_copies(int value) { landing = (Landing)value; }

EXPORT void stand_in_barrier(void) { runner.leave(Fiber::at_barrier); }

EXPORT void stand_in_check_alignment(const void *address, size_t bytes, const char *instruction) {
  check_alignment(address, bytes, instruction);
}

/// What clang passes to the handler of a misaligned access (-fsanitize=alignment).
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
  Fiber &fiber = runner.fiber();
  sanitizer::check_read(value, bytes);
  memcpy(fiber.given[fiber.exchange_count % 2], value, bytes);
  fiber.exchange_count += 1;
  runner.leave(Fiber::at_exchange);
}

EXPORT const void *stand_in_given(unsigned int lane) {
  int source = runner.current / warp_size * warp_size + (int)lane;
  const Fiber &fiber = runner.fibers[source < runner.count ? source : runner.current];
  // This thread's count gives the exchange; the other thread may already have begun its next one.
  return fiber.given[(runner.fiber().exchange_count - 1) % 2];
}

EXPORT int stand_in_elect(void) {
  int lane = runner.current % warp_size;
  stand_in_exchange(&lane, sizeof lane);
  // Kernels must not depend on which work-item is elected, so the order of threads changes it.
  return lane == (is_reverse ? warp_size - 1 : 0);
}

// MARK: - Asynchronous copies

EXPORT void stand_in_copy(void *to, const void *from, int bytes) {
  check_alignment(to, 16, "COPY_ASYNC");
  check_alignment(from, 16, "COPY_ASYNC");
  if (bytes < 0 || bytes > 16) fail(CUDA_ERROR_LAUNCH_FAILED, "COPY_ASYNC of %d bytes", bytes);
  sanitizer::check_write(to, 16);
  sanitizer::check_read(from, (size_t)bytes);
  runner.fiber().copies.start({to, from, bytes});
}

EXPORT void stand_in_commit_copies(void) { runner.fiber().copies.commit(); }

EXPORT void stand_in_wait_for_copies(size_t pending) { runner.fiber().copies.wait(pending); }

// MARK: - Barriers

EXPORT void stand_in_barrier_initialize(void *barrier, int count) { PhaseBarrier::initialize(barrier, count); }

EXPORT void stand_in_barrier_arrive(void *barrier, int bytes) {
  PhaseBarrier::at(barrier, "an arrival")->arrive(bytes);
}

EXPORT void stand_in_barrier_wait(void *barrier, int parity) {
  auto holds = [](const void *barrier, unsigned int parity) {
    return ((const PhaseBarrier *)barrier)->has_completed(parity);
  };
  if (parity != 0 && parity != 1) fail(CUDA_ERROR_LAUNCH_FAILED, "MBARRIER_WAIT with the parity %d", parity);
  runner.wait({holds, PhaseBarrier::at(barrier, "MBARRIER_WAIT"), (unsigned int)parity});
}

EXPORT void stand_in_named_barrier(int id, int threads, int waits) {
  if (id < 1 || id > 15) fail(CUDA_ERROR_LAUNCH_FAILED, "the named barrier %d", id);
  runner.meet(&runner.named[id], id, threads, waits != 0);
}

// MARK: - Copies by the tensor memory accelerator

EXPORT void stand_in_load_box(void *to, const void *map, int rank, int x, int y, int z, void *barrier) {
  BoxLoad load = {BoxCopy(map, to, rank, x, y, z), PhaseBarrier::at(barrier, "a TMA load")};
  if (landing == Landing::late) {
    runner.loads.push_back(load);
  } else {
    load.land();
  }
}

EXPORT void stand_in_store_box(const void *map, const void *from, int rank, int x, int y, int z) {
  runner.fiber().stores.start(BoxCopy(map, from, rank, x, y, z));
}

EXPORT void stand_in_commit_stores(void) { runner.fiber().stores.commit(); }

EXPORT void stand_in_wait_for_stores(size_t pending) { runner.fiber().stores.wait(pending); }

// MARK: - Products of warpgroups

/// The lowest 18 bits of an address in shared memory, for a descriptor.
EXPORT unsigned int stand_in_shared_address(const void *p) {
  auto address = (uintptr_t)p;
  check_alignment(p, 16, "WGMMA_DESCRIPTOR");
  if (runner.shared_base == 0 || address < runner.shared_base) runner.shared_base = address;
  return (unsigned int)(address & 0x3ffff);
}

EXPORT void stand_in_product(
    int type, float *d, int columns, const uint32_t *registers, uint64_t a, uint64_t b, int accumulates, int a_major,
    int b_major) {
  struct Given {
    uint64_t a, b;
    uint32_t registers[4];
  } own = {a, b, {}};
  if (registers != nullptr) memcpy(own.registers, registers, sizeof own.registers);
  stand_in_exchange(&own, sizeof own);
  auto first = (const Given *)stand_in_given(0);
  if (first->a != a || first->b != b) {
    fail(CUDA_ERROR_LAUNCH_FAILED, "a product with different descriptors in a warp");
  }
  Product product = {
      (FactorType)type,
      d,
      columns,
      accumulates != 0,
      runner.current % 128,
      registers != nullptr,
      a_major == 0,
      b_major == 0,
      a,
      b,
      {},
      runner.shared_base};
  for (unsigned int i = 0; i < 4; i += 1) {
    auto given = (const Given *)stand_in_given((unsigned int)product.thread % 32 / 4 * 4 + i);
    memcpy(product.registers[i], given->registers, sizeof own.registers);
  }
  runner.fiber().product_count += 1;
  runner.fiber().products.start(product);
}

EXPORT void stand_in_commit_products(void) { runner.fiber().products.commit(); }

/// A wgmma is one instruction of the whole warpgroup, so no thread continues before the shares of all threads have
/// landed (second barrier). No share lands before all threads wait (first barrier), so a thread of the warpgroup that
/// overwrites an operand before its wait changes the results.
EXPORT void stand_in_wait_for_products(size_t pending) {
  NamedBarrier *barrier = &runner.warpgroups[runner.current / 128];
  runner.meet(barrier, 0, 128, true);
  runner.fiber().products.wait(pending);
  runner.meet(barrier, 0, 128, true);
}
