// The threads of CUDA as fibres: one operating system thread runs the threads of a block in turn. A fibre runs until it
// waits at a barrier or shuffle, or ends. It has a stack from its start to its end, so in kernels without barriers and
// shuffles all fibres use the same stack.
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

/// Calls a kernel with parameters of eight bytes each.
typedef void (*Kernel)(const uint64_t *parameters);

struct Fibre {
  enum State { ready, at_barrier, at_shuffle, ended };

  State state = ended;
  /// The saved stack pointer of a fibre that waits; null before the fibre starts.
  void *stack_pointer = nullptr;
  char *stack = nullptr;
  /// The values that the thread passed to its last two warp shuffles, and the number of shuffles that it has called.
  uint64_t given[2] = {0, 0};
  unsigned int shuffle_count = 0;
};

/// Runs the blocks of a launch on one operating system thread.
struct Runner {
  std::vector<Fibre> fibres;
  /// The stacks that no fibre uses.
  std::vector<char *> free_stacks;
  void *scheduler = nullptr;
  int current = 0;
  int count = 0;
  Kernel kernel = nullptr;
  const uint64_t *parameters = nullptr;
  bool is_reverse = false;

  Runner() {
    const char *order = getenv("STAND_IN_ORDER");
    is_reverse = order != nullptr && strcmp(order, "reverse") == 0;
  }

  ~Runner() {
    for (char *stack : free_stacks) munmap(stack, stack_size);
  }

  /// Gives a fibre a stack from which the first switch starts the kernel. Returns false if there is no memory.
  bool start(Fibre &fibre);

  void leave(Fibre::State state) {
    fibres[current].state = state;
    stand_in_switch(&fibres[current].stack_pointer, scheduler);
  }

  bool run_block();
};

thread_local Runner runner;

__attribute__((noinline)) void fibre_main() {
  runner.kernel(runner.parameters);
  runner.leave(Fibre::ended);
  abort();
}

bool Runner::start(Fibre &fibre) {
  if (free_stacks.empty()) {
    void *stack = mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) {
      fprintf(stderr, "CUDA stand-in: no memory for the stack of a thread\n");
      return false;
    }
    free_stacks.push_back((char *)stack);
  }
  fibre.stack = free_stacks.back();
  free_stacks.pop_back();
  // The tops of the stacks are in different cache sets. The first switch returns to `fibre_main`, whose stack is
  // aligned as after a call.
  size_t number = (size_t)fibre.stack / stack_size;
  void **top = (void **)(fibre.stack + stack_size - number % 64 * 576) - 1;
  *top = nullptr;
  *--top = (void *)fibre_main;
  for (int k = 0; k < 6; k += 1) *--top = nullptr;
  fibre.stack_pointer = top;
  return true;
}

/// Runs the threads of a block until all have ended. Returns false on a deadlock (some threads wait at a barrier or
/// shuffle that the others never reach) and if there is no memory for a stack.
bool Runner::run_block() {
  if ((int)fibres.size() < count) fibres.resize(count);
  for (int i = 0; i < count; i += 1) {
    fibres[i].state = Fibre::ready;
    fibres[i].stack_pointer = nullptr;
    fibres[i].shuffle_count = 0;
  }
  while (true) {
    bool has_run = false;
    for (int k = 0; k < count; k += 1) {
      int i = is_reverse ? count - 1 - k : k;
      if (fibres[i].state != Fibre::ready) continue;
      if (fibres[i].stack_pointer == nullptr && !start(fibres[i])) return false;
      current = i;
      stand_in_thread = {(unsigned int)i, 0, 0};
      stand_in_switch(&scheduler, fibres[i].stack_pointer);
      if (fibres[i].state == Fibre::ended) free_stacks.push_back(fibres[i].stack);
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
