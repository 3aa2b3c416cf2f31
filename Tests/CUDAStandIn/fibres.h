// The threads of CUDA as fibres: each thread of a block has a stack of its own, and one operating system thread runs
// them in turn. A fibre runs until it waits at a barrier or shuffle, or ends.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

#if !defined(__x86_64__)
#error "stand_in_switch is implemented for x86-64 only"
#endif

/// Saves the callee-saved registers on the current stack and the stack pointer in `*from`. Then switches to the stack
/// at `to`.
extern "C" void stand_in_switch(void **from, void *to);
asm(R"(
.text
.globl stand_in_switch
.type stand_in_switch, @function
stand_in_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");

struct Index {
  unsigned int x, y, z;
};

extern "C" {
__attribute__((visibility("default"))) thread_local Index stand_in_block, stand_in_thread;
}

namespace {

constexpr int warp_size = 32;
constexpr int largest_group = 1024;
constexpr size_t stack_size = 128 << 10;
constexpr int most_parameters = 64;

typedef void (*Kernel)(
    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

struct Fibre {
  enum State { ready, at_barrier, at_shuffle, ended };

  State state = ended;
  void *stack_pointer = nullptr;
  char *stack = nullptr;
  /// The values that the thread passed to its last two warp shuffles, and the number of shuffles that it has called.
  uint64_t given[2] = {0, 0};
  unsigned int shuffle_count = 0;
};

/// Runs the blocks of a launch on one operating system thread.
struct Runner {
  std::vector<Fibre> fibres;
  void *scheduler = nullptr;
  int current = 0;
  int count = 0;
  Kernel kernel = nullptr;
  uint64_t parameters[most_parameters] = {0};
  bool is_reverse = false;

  Runner() {
    const char *order = getenv("STAND_IN_ORDER");
    is_reverse = order != nullptr && strcmp(order, "reverse") == 0;
  }

  ~Runner() {
    for (auto &fibre : fibres)
      if (fibre.stack != nullptr) munmap(fibre.stack, stack_size);
  }

  void leave(Fibre::State state) {
    fibres[current].state = state;
    stand_in_switch(&fibres[current].stack_pointer, scheduler);
  }

  bool run_block();
};

thread_local Runner runner;

void call(Kernel kernel, const uint64_t *p) {
  kernel(
      p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11], p[12], p[13], p[14], p[15], p[16],
      p[17], p[18], p[19], p[20], p[21], p[22], p[23], p[24], p[25], p[26], p[27], p[28], p[29], p[30], p[31], p[32],
      p[33], p[34], p[35], p[36], p[37], p[38], p[39], p[40], p[41], p[42], p[43], p[44], p[45], p[46], p[47], p[48],
      p[49], p[50], p[51], p[52], p[53], p[54], p[55], p[56], p[57], p[58], p[59], p[60], p[61], p[62], p[63]);
}

__attribute__((noinline)) void fibre_main() {
  call(runner.kernel, runner.parameters);
  runner.leave(Fibre::ended);
  abort();
}

/// Runs the threads of a block until all have ended. Returns false on a deadlock (some threads wait at a barrier or
/// shuffle that the others never reach) and if there is no memory for a stack.
bool Runner::run_block() {
  if ((int)fibres.size() < count) fibres.resize(count);
  for (int i = 0; i < count; i += 1) {
    Fibre &fibre = fibres[i];
    if (fibre.stack == nullptr) {
      void *stack = mmap(
          nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (stack == MAP_FAILED) {
        fprintf(stderr, "CUDA stand-in: no memory for the stack of a thread\n");
        return false;
      }
      fibre.stack = (char *)stack;
    }
    // The first switch returns to `fibre_main`, whose stack is aligned as after a call.
    void **top = (void **)(fibre.stack + stack_size) - 1;
    *top = nullptr;
    *--top = (void *)fibre_main;
    for (int k = 0; k < 6; k += 1) *--top = nullptr;
    fibre.stack_pointer = top;
    fibre.state = Fibre::ready;
    fibre.shuffle_count = 0;
  }
  while (true) {
    bool has_run = false;
    for (int k = 0; k < count; k += 1) {
      int i = is_reverse ? count - 1 - k : k;
      if (fibres[i].state != Fibre::ready) continue;
      current = i;
      stand_in_thread = {(unsigned int)i, 0, 0};
      stand_in_switch(&scheduler, fibres[i].stack_pointer);
      has_run = true;
    }
    // Warps whose threads have all arrived at a shuffle continue.
    bool has_ready = false;
    for (int start = 0; start < count; start += warp_size) {
      int end = start + warp_size < count ? start + warp_size : count;
      bool is_complete = true;
      for (int i = start; i < end; i += 1) is_complete = is_complete && fibres[i].state == Fibre::at_shuffle;
      if (!is_complete) continue;
      for (int i = start; i < end; i += 1) fibres[i].state = Fibre::ready;
      has_ready = true;
    }
    if (has_ready) continue;
    int ended = 0, waiting = 0;
    for (int i = 0; i < count; i += 1) {
      ended += fibres[i].state == Fibre::ended;
      waiting += fibres[i].state == Fibre::at_barrier;
    }
    if (ended == count) return true;
    if (waiting == count) {
      for (int i = 0; i < count; i += 1) fibres[i].state = Fibre::ready;
      continue;
    }
    if (!has_run) {
      fprintf(stderr, "CUDA stand-in: deadlock in a block: not all threads reach the barrier or shuffle\n");
      return false;
    }
  }
}

} // namespace

EXPORT void stand_in_barrier(void) { runner.leave(Fibre::at_barrier); }

EXPORT uint64_t stand_in_shuffle(uint64_t value, unsigned int lane) {
  Fibre &fibre = runner.fibres[runner.current];
  // Two values are kept, because a thread may start its next shuffle before others read its value of this shuffle.
  unsigned int slot = fibre.shuffle_count % 2;
  int start = runner.current / warp_size * warp_size;
  fibre.given[slot] = value;
  fibre.shuffle_count += 1;
  runner.leave(Fibre::at_shuffle);
  int source = start + (int)lane;
  return runner.fibres[source < runner.count ? source : runner.current].given[slot];
}
