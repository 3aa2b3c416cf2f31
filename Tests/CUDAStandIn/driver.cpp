// A stand-in for libcuda.so.1 that runs kernels on the CPU, for tests on machines without an NVIDIA GPU. Its device is
// like a small H100. Modules are the shared objects that the stand-in for NVRTC (nvrtc.cpp) builds.
//
// Environment variables:
//   STAND_IN_DEVICES   the number of devices (default 1)
//   STAND_IN_MEMORY    the memory of a device in MiB (default 4096)
//   STAND_IN_ORDER     `reverse` runs the threads of a block in descending order
//   STAND_IN_VERSION   the version that the driver reports (default 13000, CUDA 13.0)
//   STAND_IN_CAPABILITY  the compute capability as 10 × major + minor (default 90)
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "../../Sources/CCUDA/include/ccuda.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

// MARK: - Fibres

#if !defined(__x86_64__)
#error "the switch of fibres is written for x86-64 only"
#endif

/// Saves the callee-saved registers and switches to another stack.
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
  /// The values that the thread contributed to its last two warp shuffles, and the number of its shuffles.
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

// MARK: - State of the driver

constexpr size_t red_zone = 256;
constexpr unsigned char red_zone_byte = 0xa5;

struct Allocation {
  size_t bytes;
};

struct State {
  std::mutex mutex;
  std::map<CUdeviceptr, Allocation> allocations;
  size_t used = 0;
  /// The error that later launches, copies, allocations and waits return.
  CUresult lost = CUDA_SUCCESS;
};

State &state() {
  static State *state = new State;
  return *state;
}

long setting(const char *name, long fallback) {
  const char *text = getenv(name);
  return text != nullptr ? atol(text) : fallback;
}

size_t total_memory() { return (size_t)setting("STAND_IN_MEMORY", 4096) << 20; }

} // namespace

#define CHECK_LOST()                                       \
  do {                                                     \
    if (state().lost != CUDA_SUCCESS) return state().lost; \
  } while (0)

EXPORT void stand_in_barrier(void) { runner.leave(Fibre::at_barrier); }

EXPORT uint64_t stand_in_shuffle(uint64_t value, unsigned int lane) {
  Fibre &fibre = runner.fibres[runner.current];
  // Two values are kept: a thread may start its next exchange before another thread reads the value of this one.
  unsigned int slot = fibre.shuffle_count % 2;
  int start = runner.current / warp_size * warp_size;
  fibre.given[slot] = value;
  fibre.shuffle_count += 1;
  runner.leave(Fibre::at_shuffle);
  int source = start + (int)lane;
  return runner.fibres[source < runner.count ? source : runner.current].given[slot];
}

struct CUctx_st {
  int device;
};
struct CUfunc_st {
  Kernel kernel;
  int parameter_count;
};
struct CUmod_st {
  void *library;
  std::map<std::string, CUfunc_st> functions;
};
struct CUstream_st {
  int number;
};
struct CUevent_st {
  double seconds;
};

namespace {
CUctx_st contexts[16];
thread_local CUcontext current_context = nullptr;
} // namespace

// MARK: - Devices

EXPORT CUresult cuInit(unsigned int) {
  // Reopen this library with RTLD_GLOBAL, so that modules can resolve `stand_in_barrier` and `stand_in_shuffle`.
  Dl_info info;
  if (dladdr((void *)&stand_in_barrier, &info) == 0) return CUDA_ERROR_UNKNOWN;
  return dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

EXPORT CUresult cuDriverGetVersion(int *version) {
  *version = (int)setting("STAND_IN_VERSION", 13000);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGetErrorName(CUresult, const char **text) {
  *text = "CUDA_ERROR";
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGetErrorString(CUresult error, const char **text) {
  switch (error) {
    case CUDA_SUCCESS: *text = "no error"; break;
    case CUDA_ERROR_OUT_OF_MEMORY: *text = "out of memory"; break;
    case CUDA_ERROR_NO_DEVICE: *text = "no CUDA-capable device is detected"; break;
    case CUDA_ERROR_ILLEGAL_ADDRESS: *text = "an illegal memory access was encountered"; break;
    case CUDA_ERROR_LAUNCH_FAILED: *text = "unspecified launch failure"; break;
    default: *text = "an error of the stand-in"; break;
  }
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetCount(int *count) {
  *count = (int)setting("STAND_IN_DEVICES", 1);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  *device = ordinal;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetName(char *name, int length, CUdevice) {
  snprintf(name, (size_t)length, "CUDA stand-in");
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) {
  memset(uuid, device, sizeof *uuid);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice) {
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = largest_group; break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 4; break;
    case CU_DEVICE_ATTRIBUTE_INTEGRATED: *value = 0; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = (int)setting("STAND_IN_CAPABILITY", 90) / 10; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = (int)setting("STAND_IN_CAPABILITY", 90) % 10; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = 227 << 10; break;
    case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: *value = 1; break;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice) {
  *bytes = total_memory();
  return CUDA_SUCCESS;
}

// MARK: - Contexts

EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  CHECK_LOST();
  contexts[device].device = device;
  *context = &contexts[device];
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) { return CUDA_SUCCESS; }

EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
  current_context = context;
  return state().lost;
}

// MARK: - Memory

EXPORT CUresult cuMemGetInfo_v2(size_t *available, size_t *total) {
  std::lock_guard<std::mutex> lock(state().mutex);
  *total = total_memory();
  *available = *total - state().used;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  if (current_context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  std::lock_guard<std::mutex> lock(state().mutex);
  CHECK_LOST();
  if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  if (state().used + bytes > total_memory()) return CUDA_ERROR_OUT_OF_MEMORY;
  char *memory = nullptr;
  if (posix_memalign((void **)&memory, 256, bytes + 2 * red_zone) != 0) return CUDA_ERROR_OUT_OF_MEMORY;
  memset(memory, red_zone_byte, red_zone);
  memset(memory + red_zone, 0xff, bytes);
  memset(memory + red_zone + bytes, red_zone_byte, red_zone);
  *address = (CUdeviceptr)(memory + red_zone);
  state().allocations[*address] = {bytes};
  state().used += bytes;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemFree_v2(CUdeviceptr address) {
  std::lock_guard<std::mutex> lock(state().mutex);
  auto found = state().allocations.find(address);
  if (found == state().allocations.end()) return CUDA_ERROR_INVALID_VALUE;
  size_t bytes = found->second.bytes;
  unsigned char *memory = (unsigned char *)address - red_zone;
  for (size_t i = 0; i < red_zone; i += 1) {
    if (memory[i] != red_zone_byte || memory[red_zone + bytes + i] != red_zone_byte) {
      fprintf(stderr, "CUDA stand-in: a kernel wrote just outside an allocation of %zu bytes\n", bytes);
      abort();
    }
  }
  memset(memory, 0xfe, bytes + 2 * red_zone);
  free(memory);
  state().allocations.erase(found);
  state().used -= bytes;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream) { return cuMemAlloc_v2(address, bytes); }
EXPORT CUresult cuMemFreeAsync(CUdeviceptr address, CUstream) { return cuMemFree_v2(address); }

EXPORT CUresult cuMemHostAlloc(void **memory, size_t bytes, unsigned int) {
  CHECK_LOST();
  return posix_memalign(memory, 4096, bytes) == 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT CUresult cuMemFreeHost(void *memory) {
  free(memory);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemsetD8Async(CUdeviceptr address, unsigned char value, size_t count, CUstream) {
  CHECK_LOST();
  memset((void *)address, value, count);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr target, const void *source, size_t bytes, CUstream) {
  CHECK_LOST();
  memcpy((void *)target, source, bytes);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemcpyDtoHAsync_v2(void *target, CUdeviceptr source, size_t bytes, CUstream) {
  CHECK_LOST();
  memcpy(target, (const void *)source, bytes);
  return CUDA_SUCCESS;
}

// MARK: - Streams and events

EXPORT CUresult cuStreamCreate(CUstream *stream, unsigned int) {
  CHECK_LOST();
  *stream = new CUstream_st{1};
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamDestroy_v2(CUstream stream) {
  delete stream;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamSynchronize(CUstream) { return state().lost; }
EXPORT CUresult cuStreamWaitEvent(CUstream, CUevent, unsigned int) { return state().lost; }

EXPORT CUresult cuEventCreate(CUevent *event, unsigned int) {
  CHECK_LOST();
  *event = new CUevent_st{0};
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventDestroy_v2(CUevent event) {
  delete event;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventRecord(CUevent event, CUstream) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  event->seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
  return state().lost;
}

EXPORT CUresult cuEventQuery(CUevent) { return state().lost; }
EXPORT CUresult cuEventSynchronize(CUevent) { return state().lost; }

EXPORT CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
  *milliseconds = (float)(1e3 * (end->seconds - start->seconds));
  return CUDA_SUCCESS;
}

// MARK: - Modules and launches

EXPORT CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  CHECK_LOST();
  Elf64_Ehdr header;
  memcpy(&header, image, sizeof header);
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return CUDA_ERROR_INVALID_IMAGE;
  // The section headers are the last part of the file.
  size_t bytes = header.e_shoff + (size_t)header.e_shnum * header.e_shentsize;
  // The dynamic loader identifies libraries by their paths, so each module needs a path of its own.
  char path[] = "/tmp/cuda-stand-in-XXXXXX";
  int file = mkstemp(path);
  if (file < 0) return CUDA_ERROR_INVALID_IMAGE;
  bool is_written = write(file, image, bytes) == (ssize_t)bytes;
  close(file);
  void *library = is_written ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (library == nullptr) fprintf(stderr, "CUDA stand-in: %s\n", is_written ? dlerror() : "writing a module failed");
  unlink(path);
  if (library == nullptr) return CUDA_ERROR_INVALID_IMAGE;
  *module = new CUmod_st{library, {}};
  return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleUnload(CUmodule module) {
  dlclose(module->library);
  delete module;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  void *kernel = dlsym(module->library, name);
  int *count = (int *)dlsym(module->library, (std::string("stand_in_parameters_") + name).c_str());
  if (kernel == nullptr || count == nullptr || *count > most_parameters) return CUDA_ERROR_INVALID_VALUE;
  *function = &(module->functions[name] = {(Kernel)kernel, *count});
  return CUDA_SUCCESS;
}

EXPORT CUresult cuLaunchKernel(
    CUfunction function, unsigned int groups, unsigned int, unsigned int, unsigned int threads, unsigned int,
    unsigned int, unsigned int, CUstream, void **parameters, void **) {
  CHECK_LOST();
  if (current_context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (groups == 0 || threads == 0 || threads > largest_group) return CUDA_ERROR_INVALID_VALUE;
  runner.kernel = function->kernel;
  runner.count = (int)threads;
  for (int i = 0; i < function->parameter_count; i += 1) memcpy(&runner.parameters[i], parameters[i], 8);
  for (unsigned int group = 0; group < groups; group += 1) {
    stand_in_block = {group, 0, 0};
    if (!runner.run_block()) {
      state().lost = CUDA_ERROR_LAUNCH_FAILED;
      return CUDA_SUCCESS;
    }
  }
  return CUDA_SUCCESS;
}
