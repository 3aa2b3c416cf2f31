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
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "../../Sources/CCUDA/include/ccuda.h"
#include "fibres.h"

// MARK: - State of the driver

namespace {

constexpr size_t red_zone = 256;
constexpr unsigned char red_zone_byte = 0xa5;

struct State {
  std::mutex mutex;
  /// The size of each allocation.
  std::map<CUdeviceptr, size_t> allocations;
  size_t used = 0;
  /// The error that later launches, copies, allocations and waits return.
  std::atomic<CUresult> lost = CUDA_SUCCESS;
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

#define CHECK_LOST()                       \
  do {                                     \
    CUresult lost = state().lost;          \
    if (lost != CUDA_SUCCESS) return lost; \
  } while (0)

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
constexpr int most_devices = 16;
CUctx_st contexts[most_devices];

int device_count() { return (int)setting("STAND_IN_DEVICES", 1); }
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
  *count = device_count();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  if (ordinal < 0 || ordinal >= device_count() || ordinal >= most_devices) return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetName(char *name, int length, CUdevice) {
  snprintf(name, (size_t)length, "CUDA stand-in");
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
  state().allocations[*address] = bytes;
  state().used += bytes;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemFree_v2(CUdeviceptr address) {
  std::lock_guard<std::mutex> lock(state().mutex);
  auto found = state().allocations.find(address);
  if (found == state().allocations.end()) return CUDA_ERROR_INVALID_VALUE;
  size_t bytes = found->second;
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
