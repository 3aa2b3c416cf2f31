// The threads of CUDA as fibers (coroutines with their own stacks): one operating system thread runs the threads of a
// block in turn. A fiber runs until it ends or waits: at a barrier of the block, a named barrier, an mbarrier or
// WGMMA_WAIT, or for an exchange between the threads of its warp. A fiber has a stack from its start to its end. In
// kernels without waits, each fiber ends before the next one starts, so all use the same stack.
#pragma once
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <vector>

#include "copies.h"
#include "products.h"

#if !defined(__x86_64__)
#error "stand_in_switch is implemented for x86-64 only"
#endif

/// Pushes the callee-saved registers onto the current stack, and stores the stack pointer in `*from`. Then continues on
/// the stack whose saved stack pointer is `to`.
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
// In bytes. Large, because the address sanitizer puts red zones between the local arrays of a thread.
constexpr size_t stack_size = 256 << 10;

/// Calls a kernel with parameters of eight bytes each.
typedef void (*Kernel)(const uint64_t *parameters);

/// What a fiber waits for at an mbarrier or a named barrier: it continues when `holds(object, value)` is true.
struct Condition {
  bool (*holds)(const void *object, unsigned int value) = nullptr;
  const void *object = nullptr;
  unsigned int value = 0;
};

/// 1024 bytes of the dynamic shared memory of a launch. The alignment makes the memory begin at a multiple of 1024.
struct alignas(1024) Chunk {
  unsigned char bytes[1024];
};

struct Fiber {
  enum State { ready, at_barrier, at_exchange, at_condition, ended };

  State state = ended;
  /// The saved stack pointer of a fiber that waits; null before the fiber starts.
  void *stack_pointer = nullptr;
  char *stack = nullptr;
  sanitizer::Stack sanitized;
  Condition condition;
  /// The values that the thread passed to its last two exchanges, and the number of its exchanges. Two values are kept,
  /// because a thread may start its next exchange before others read its value of this exchange.
  alignas(16) char given[2][32] = {};
  unsigned int exchange_count = 0;
  Groups<Copy> copies;
  Groups<BoxCopy> stores;
  Groups<Product> products;
  unsigned int product_count = 0;
};

/// Whether the threads of a block run in descending order. Then pending TMA loads also land newest first, and ELECT
/// elects the last lane. The result of a kernel without races does not depend on the order.
std::atomic<bool> is_reverse = [] {
  const char *order = getenv("STAND_IN_ORDER");
  return order != nullptr && strcmp(order, "reverse") == 0;
}();

/// Runs the blocks of a launch on one operating system thread.
struct Runner {
  std::vector<Fiber> fibers;
  /// The stacks that no fiber uses.
  std::vector<char *> free_stacks;
  void *scheduler = nullptr;
  int current = 0;
  int count = 0;
  Kernel kernel = nullptr;
  const uint64_t *parameters = nullptr;
  /// The dynamic shared memory of the launch.
  std::vector<Chunk> shared;
  /// The TMA loads that have not landed, oldest first.
  std::deque<BoxLoad> loads;
  NamedBarrier named[16];
  /// For each warpgroup, the barrier of WGMMA_WAIT.
  NamedBarrier warpgroups[largest_group / 128];
  /// The lowest address passed to WGMMA_DESCRIPTOR in this block (0: none). Descriptors hold only 18 address bits.
  uintptr_t shared_base = 0;

  ~Runner() {
    for (char *stack : free_stacks) munmap(stack, stack_size);
  }

  /// Gives a fiber a stack, prepared so that the first switch to it starts the kernel. Returns false if there is no
  /// memory.
  bool start(Fiber &fiber);

  Fiber &fiber() { return fibers[current]; }

  void leave(Fiber::State state) {
    Fiber &fiber = fibers[current];
    fiber.state = state;
    fiber.sanitized.leave(scheduler_stack, state == Fiber::ended);
    stand_in_switch(&fiber.stack_pointer, scheduler);
    fiber.sanitized.enter();
  }

  /// Arrives at a barrier of `threads` threads, and waits for the others if `waits`.
  void meet(NamedBarrier *barrier, int id, int threads, bool waits) {
    unsigned int generation = barrier->arrive(id, threads);
    auto holds = [](const void *barrier, unsigned int generation) {
      return ((const NamedBarrier *)barrier)->generation != generation;
    };
    if (waits) wait({holds, barrier, generation});
  }

  /// Lets the fiber wait until a condition holds.
  void wait(const Condition &condition) {
    if (condition.holds(condition.object, condition.value)) return;
    fiber().condition = condition;
    leave(Fiber::at_condition);
  }

  void reset();
  bool run_ready(bool is_reversed);
  bool release();
  void land_load(bool is_reversed);
  void check_end();
  CUresult run_block();
};

thread_local Runner runner;

__attribute__((noinline)) void fiber_main() {
  runner.fiber().sanitized.enter(&scheduler_stack);
  runner.kernel(runner.parameters);
  runner.leave(Fiber::ended);
  abort();
}

bool Runner::start(Fiber &fiber) {
  if (free_stacks.empty()) {
    void *stack = mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) {
      fprintf(stderr, "CUDA stand-in: no memory for the stack of a thread\n");
      return false;
    }
    free_stacks.push_back((char *)stack);
  }
  fiber.stack = free_stacks.back();
  free_stacks.pop_back();
  // The tops of the stacks have different offsets, so that they are in different cache sets. The first switch pops six
  // registers and returns to `fiber_main`, with the stack aligned as after a call.
  size_t number = (size_t)fiber.stack / stack_size;
  void **top = (void **)(fiber.stack + stack_size - number % 64 * 576) - 1;
  *top = nullptr;
  *--top = (void *)fiber_main;
  for (int k = 0; k < 6; k += 1) *--top = nullptr;
  fiber.stack_pointer = top;
  fiber.sanitized = {fiber.stack, stack_size};
  return true;
}

void Runner::reset() {
  if ((int)fibers.size() < count) fibers.resize((size_t)count);
  for (int i = 0; i < count; i += 1) {
    fibers[i].state = Fiber::ready;
    fibers[i].stack_pointer = nullptr;
    fibers[i].exchange_count = 0;
    fibers[i].copies.clear();
    fibers[i].stores.clear();
    fibers[i].products.clear();
    fibers[i].product_count = 0;
  }
  loads.clear();
  for (auto &barrier : named) barrier = {};
  for (auto &barrier : warpgroups) barrier = {};
  shared_base = 0;
}

/// Runs each fiber that is ready, in turn. Returns false if there is no memory for a stack.
bool Runner::run_ready(bool is_reversed) {
  for (int k = 0; k < count; k += 1) {
    int i = is_reversed ? count - 1 - k : k;
    if (fibers[i].state != Fiber::ready) continue;
    if (fibers[i].stack_pointer == nullptr && !start(fibers[i])) return false;
    current = i;
    stand_in_thread = {(unsigned int)i, 0, 0};
    scheduler_stack.leave(fibers[i].sanitized);
    stand_in_switch(&scheduler, fibers[i].stack_pointer);
    scheduler_stack.enter();
    if (fibers[i].state == Fiber::ended) free_stacks.push_back(fibers[i].stack);
  }
  return true;
}

/// Marks fibers as ready: those of a warp that have all reached an exchange, those whose condition holds, and all
/// fibers if all have reached the barrier of the block. Returns whether any fiber is ready.
bool Runner::release() {
  bool has_ready = false;
  int at_barrier = 0;
  for (int start = 0; start < count; start += warp_size) {
    int end = std::min(start + warp_size, count);
    bool is_complete = true;
    for (int i = start; i < end; i += 1) is_complete = is_complete && fibers[i].state == Fiber::at_exchange;
    for (int i = start; i < end; i += 1) {
      Fiber &fiber = fibers[i];
      bool holds = fiber.state == Fiber::at_condition &&
          fiber.condition.holds(fiber.condition.object, fiber.condition.value);
      if (is_complete || holds) fiber.state = Fiber::ready;
      has_ready = has_ready || fiber.state == Fiber::ready;
      at_barrier += fiber.state == Fiber::at_barrier;
    }
  }
  if (at_barrier < count) return has_ready;
  for (int i = 0; i < count; i += 1) fibers[i].state = Fiber::ready;
  return true;
}

/// Lands one TMA load: the oldest, or the newest if `is_reversed`. On a GPU, loads may complete in any order.
void Runner::land_load(bool is_reversed) {
  BoxLoad load = is_reversed ? loads.back() : loads.front();
  if (is_reversed) {
    loads.pop_back();
  } else {
    loads.pop_front();
  }
  load.land();
}

/// Checks that no TMA load, TMA store or wgmma is pending at the end of a block, and that all threads of each warpgroup
/// have issued the same number of wgmma instructions.
void Runner::check_end() {
  size_t stores = 0, products = 0;
  for (int i = 0; i < count; i += 1) {
    stores += fibers[i].stores.pending();
    products += fibers[i].products.pending();
    if (fibers[i].product_count != fibers[i / 128 * 128].product_count) {
      fail(CUDA_ERROR_LAUNCH_FAILED, "a product that not all warps of a warpgroup call");
    }
  }
  if (loads.empty() && stores == 0 && products == 0) return;
  fail(
      CUDA_ERROR_LAUNCH_FAILED, "a block ends without a wait for %zu TMA loads, %zu TMA stores, %zu products",
      loads.size(), stores, products);
}

/// Runs the threads of a block until all have ended. Fails on a deadlock (some threads wait for something that never
/// happens) and if there is no memory for a stack.
CUresult Runner::run_block() {
  bool is_reversed = is_reverse;
  reset();
  while (true) {
    if (!run_ready(is_reversed)) return CUDA_ERROR_LAUNCH_FAILED;
    if (release()) continue;
    int states[5] = {};
    for (int i = 0; i < count; i += 1) states[fibers[i].state] += 1;
    if (states[Fiber::ended] == count) break;
    // TMA loads land as late as possible: when no thread can continue without them.
    if (loads.empty()) {
      fprintf(
          stderr,
          "CUDA stand-in: deadlock in a block: %d threads wait at the barrier, %d for an exchange of their warp, "
          "%d at an mbarrier or a named barrier; %d have ended\n",
          states[Fiber::at_barrier], states[Fiber::at_exchange], states[Fiber::at_condition], states[Fiber::ended]);
      return CUDA_ERROR_LAUNCH_FAILED;
    }
    land_load(is_reversed);
  }
  check_end();
  return CUDA_SUCCESS;
}

/// Runs a block of the launch in `runner`, and returns the error of its kernel. After an error, the device is lost, and
/// this operating system thread runs no other block, so the state of the fibers does not matter.
CUresult run_block() {
  static bool is_installed = [] {
    struct sigaction action = {};
    action.sa_handler = handle_fault;
    action.sa_flags = SA_NODEFER;
    return sigaction(SIGSEGV, &action, nullptr) == 0 && sigaction(SIGBUS, &action, nullptr) == 0;
  }();
  (void)is_installed;
  if (sigsetjmp(after_fault, 0) != 0) {
    fault_stack.enter();
    is_in_block = false;
    return fault;
  }
  is_in_block = true;
  CUresult result = runner.run_block();
  is_in_block = false;
  return result;
}

} // namespace

EXPORT void *stand_in_shared_memory(void) { return runner.shared.data(); }
