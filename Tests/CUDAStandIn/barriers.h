// The barriers of prelude/hopper.h: mbarriers, which are objects in shared memory that count through phases, and named
// barriers.
#pragma once
#include <stdint.h>

#include "fail.h"

namespace {

constexpr int most_arrivals = (1 << 20) - 1;

/// An mbarrier, a barrier in shared memory. A phase completes when no arrivals and no bytes are pending.
struct PhaseBarrier {
  uint64_t mark : 2, phase : 1, pending : 20, count : 20;
  int64_t bytes : 21;
  static constexpr uint64_t initialized = 2;

  static PhaseBarrier *at(void *address, const char *instruction) {
    check_alignment(address, 8, instruction);
    sanitizer::check_write(address, 8);
    auto barrier = (PhaseBarrier *)address;
    if (barrier->mark != initialized) fail(CUDA_ERROR_LAUNCH_FAILED, "%s without MBARRIER_INIT", instruction);
    return barrier;
  }

  static void initialize(void *address, int count) {
    check_alignment(address, 8, "MBARRIER_INIT");
    sanitizer::check_write(address, 8);
    if (count < 1 || count > most_arrivals) fail(CUDA_ERROR_LAUNCH_FAILED, "MBARRIER_INIT with the count %d", count);
    auto barrier = (PhaseBarrier *)address;
    *barrier = {initialized, 0, (uint64_t)count, (uint64_t)count, 0};
  }

  void complete() {
    if (pending != 0 || bytes != 0) return;
    phase ^= 1;
    pending = count;
  }

  void arrive(int expected) {
    if (pending == 0) fail(CUDA_ERROR_LAUNCH_FAILED, "more than %d threads arrive at an mbarrier", (int)count);
    change_bytes(expected);
    pending -= 1;
    complete();
  }

  void land(int count) {
    change_bytes(-count);
    complete();
  }

  /// Whether the phase with this parity has completed, so that a thread that waits for it continues.
  bool has_completed(unsigned int parity) const { return phase != parity; }

private:
  void change_bytes(int change) {
    int64_t sum = bytes + change;
    if (sum > most_arrivals || sum < -most_arrivals) {
      fail(CUDA_ERROR_LAUNCH_FAILED, "an mbarrier counts %lld pending bytes", (long long)sum);
    }
    bytes = sum;
  }
};
static_assert(sizeof(PhaseBarrier) == 8);

/// A named barrier (bar.sync and bar.arrive) of `count` threads, whole warps.
struct NamedBarrier {
  unsigned int arrived = 0, count = 0, generation = 0;

  /// Counts the arrival of one thread. Returns the running generation; a thread that waits continues when `generation`
  /// differs from it.
  unsigned int arrive(int id, int threads) {
    if (threads < 32 || threads > 1024 || threads % 32 != 0 || (arrived != 0 && (unsigned int)threads != count)) {
      fail(
          CUDA_ERROR_LAUNCH_FAILED, "barrier %d of %d threads, when %u have arrived of %u", id, threads, arrived,
          count);
    }
    count = (unsigned int)threads;
    unsigned int own = generation;
    arrived += 1;
    if (arrived == count) {
      arrived = 0;
      generation += 1;
    }
    return own;
  }
};

} // namespace
