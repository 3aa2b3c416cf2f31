// The threads of CUDA as fibres: one operating system thread runs the threads of a block in turn. A fibre runs until it
// waits at a barrier or for an exchange of its warp, or ends. It has a stack from its start to its end, so in kernels
// without barriers and exchanges all fibres use the same stack.
#pragma once
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <atomic>
#include <deque>
#include <vector>

#include "../../Sources/CCUDA/include/ccuda.h"

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

/// A copy of 16 bytes to shared memory, those from `bytes` on being zeros.
struct Copy {
  void *to;
  const void *from;
  int bytes;
};

/// 16 bytes of shared memory.
struct alignas(16) Chunk {
  unsigned char bytes[16];
};

struct Fibre {
  enum State { ready, at_barrier, at_exchange, ended };

  State state = ended;
  /// The saved stack pointer of a fibre that waits; null before the fibre starts.
  void *stack_pointer = nullptr;
  char *stack = nullptr;
  /// The values that the thread passed to its last two exchanges, and the number of its exchanges. Two values are kept,
  /// because a thread may start its next exchange before others read its value of this exchange.
  alignas(16) char given[2][32] = {};
  unsigned int exchange_count = 0;
  /// The asynchronous copies that are not complete, and the number of copies of each of their groups.
  std::deque<Copy> copies;
  std::deque<size_t> groups;
};

/// Whether the threads of a block run in descending order. The result of a kernel without races does not depend on it.
std::atomic<bool> is_reverse = [] {
  const char *order = getenv("STAND_IN_ORDER");
  return order != nullptr && strcmp(order, "reverse") == 0;
}();

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
  /// The shared memory that the launch provides, aligned to 16 bytes.
  std::vector<Chunk> shared;

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

/// Runs the threads of a block until all have ended. Returns false on a deadlock (some threads wait at a barrier or for
/// an exchange that the others never reach) and if there is no memory for a stack.
bool Runner::run_block() {
  bool is_reversed = is_reverse;
  if ((int)fibres.size() < count) fibres.resize(count);
  for (int i = 0; i < count; i += 1) {
    fibres[i].state = Fibre::ready;
    fibres[i].stack_pointer = nullptr;
    fibres[i].exchange_count = 0;
    fibres[i].copies.clear();
    fibres[i].groups.clear();
  }
  while (true) {
    bool has_run = false;
    for (int k = 0; k < count; k += 1) {
      int i = is_reversed ? count - 1 - k : k;
      if (fibres[i].state != Fibre::ready) continue;
      if (fibres[i].stack_pointer == nullptr && !start(fibres[i])) return false;
      current = i;
      stand_in_thread = {(unsigned int)i, 0, 0};
      stand_in_switch(&scheduler, fibres[i].stack_pointer);
      if (fibres[i].state == Fibre::ended) free_stacks.push_back(fibres[i].stack);
      has_run = true;
    }
    // Warps whose threads have all arrived at an exchange continue.
    bool has_ready = false;
    for (int start = 0; start < count; start += warp_size) {
      int end = start + warp_size < count ? start + warp_size : count;
      bool is_complete = true;
      for (int i = start; i < end; i += 1) is_complete = is_complete && fibres[i].state == Fibre::at_exchange;
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
      fprintf(stderr, "CUDA stand-in: deadlock in a block: not all threads reach the barrier or exchange\n");
      return false;
    }
  }
}

thread_local sigjmp_buf after_fault;
thread_local volatile bool is_in_block = false;

/// Ends the block of the thread whose kernel accessed memory that does not exist.
void handle_fault(int signal) {
  if (is_in_block) siglongjmp(after_fault, 1);
  // The fault is not a kernel's. After the return, it ends the process.
  ::signal(signal, SIG_DFL);
}

/// Runs a block of the launch in `runner`, and returns the error of its kernel. After an error, the device is lost, and
/// no block runs on this thread again.
CUresult run_block() {
  static bool is_installed = [] {
    struct sigaction action = {};
    action.sa_handler = handle_fault;
    action.sa_flags = SA_NODEFER;
    return sigaction(SIGSEGV, &action, nullptr) == 0 && sigaction(SIGBUS, &action, nullptr) == 0;
  }();
  (void)is_installed;
  if (sigsetjmp(after_fault, 0) != 0) {
    is_in_block = false;
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  }
  is_in_block = true;
  bool is_complete = runner.run_block();
  is_in_block = false;
  return is_complete ? CUDA_SUCCESS : CUDA_ERROR_LAUNCH_FAILED;
}

} // namespace

EXPORT void stand_in_set_reverse(int value) { is_reverse = value != 0; }

EXPORT void stand_in_barrier(void) { runner.leave(Fibre::at_barrier); }

EXPORT void *stand_in_shared_memory(void) { return runner.shared.data(); }

EXPORT void stand_in_exchange(const void *value, size_t bytes) {
  Fibre &fibre = runner.fibres[runner.current];
  memcpy(fibre.given[fibre.exchange_count % 2], value, bytes);
  fibre.exchange_count += 1;
  runner.leave(Fibre::at_exchange);
}

EXPORT const void *stand_in_given(unsigned int lane) {
  int source = runner.current / warp_size * warp_size + (int)lane;
  const Fibre &fibre = runner.fibres[source < runner.count ? source : runner.current];
  // The other thread may have begun its next exchange.
  return fibre.given[(runner.fibres[runner.current].exchange_count - 1) % 2];
}

EXPORT void stand_in_copy(void *to, const void *from, int bytes) {
  if ((uintptr_t)to % 16 != 0 || (uintptr_t)from % 16 != 0 || bytes < 0 || bytes > 16) {
    fprintf(stderr, "CUDA stand-in: an asynchronous copy of %d bytes from %p to %p\n", bytes, from, to);
    raise(SIGBUS);
  }
  runner.fibres[runner.current].copies.push_back({to, from, bytes});
}

EXPORT void stand_in_commit_copies(void) {
  Fibre &fibre = runner.fibres[runner.current];
  size_t earlier = 0;
  for (size_t count : fibre.groups) earlier += count;
  fibre.groups.push_back(fibre.copies.size() - earlier);
}

EXPORT void stand_in_wait_for_copies(size_t pending) {
  Fibre &fibre = runner.fibres[runner.current];
  for (; fibre.groups.size() > pending; fibre.groups.pop_front()) {
    for (size_t i = 0; i < fibre.groups.front(); i += 1) {
      Copy copy = fibre.copies.front();
      fibre.copies.pop_front();
      memset(copy.to, 0, 16);
      memcpy(copy.to, copy.from, (size_t)copy.bytes);
    }
  }
}
