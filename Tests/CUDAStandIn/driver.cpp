// A stand-in for libcuda.so.1 that runs kernels on the CPU, for tests on machines without an NVIDIA GPU. Its device is
// like a small H100: compute capability 9.0, 4 multiprocessors. Modules are the shared objects that the stand-in for
// NVRTC (nvrtc.cpp) builds. Each stream is a thread, which runs launches and copies asynchronously, in the order of the
// calls.
//
// Environment variables:
//   STAND_IN_DEVICES   the number of devices (default 1)
//   STAND_IN_MEMORY    the memory of a device in MiB (default 4096)
//   STAND_IN_ORDER     `reverse` runs the threads of a block in descending order, see fibers.h
//   STAND_IN_COPIES    when asynchronous copies land: `at-once` or `reads-late`, see copies.h
//   STAND_IN_VERSION   the version that the driver reports (default 13000, CUDA 13.0)
//   STAND_IN_CAPABILITY  the compute capability as 10 × major + minor (default 90)
//   STAND_IN_LAUNCH    `no` runs no kernel, so that only the host's share of the time is measured
//   STAND_IN_FAIL      failures of single calls, see faults.h
//   STAND_IN_SANITIZE  `address` compiles kernels with the address sanitizer, see sanitizer.h
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../../Sources/CCUDA/include/ccuda.h"
#include "faults.h"
#include "instructions.h"
#include "launches.h"
#include "memory.h"
#include "streams.h"

// MARK: - State of the driver

namespace {

struct State {
  std::mutex mutex;
  Allocations allocations;
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

namespace {
/// Returns the error with which a call fails before it does anything: an injected error, or the error that made the
/// device unusable.
CUresult error_of_call(const char *function) {
  static Faults *faults = new Faults;
  CUresult injected = faults->count(function);
  if (Faults::is_loss(injected)) lost = injected;
  return injected != CUDA_SUCCESS ? injected : lost.load();
}
} // namespace

/// Returns from a function of the driver if `error_of_call` gives an error.
#define BEGIN_CALL()                          \
  do {                                        \
    CUresult error = error_of_call(__func__); \
    if (error != CUDA_SUCCESS) return error;  \
  } while (0)

struct CUctx_st {
  int device;
};
struct CUmod_st {
  void *library;
  std::map<std::string, CUfunc_st> functions;
};
struct CUevent_st {
  /// The point that was recorded last; null before the first.
  std::shared_ptr<Point> point;
};

namespace {
constexpr int most_devices = 16;
CUctx_st contexts[most_devices];

int device_count() { return (int)setting("STAND_IN_DEVICES", 1); }
thread_local CUcontext current_context = nullptr;
} // namespace

// MARK: - Devices

EXPORT CUresult cuInit(unsigned int) {
  BEGIN_CALL();
  // Reopen this library with RTLD_GLOBAL, so that modules can resolve `stand_in_barrier` and others.
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
  BEGIN_CALL();
  *count = device_count();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  if (ordinal < 0 || ordinal >= device_count() || ordinal >= most_devices) return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetName(char *name, int length, CUdevice) {
  // The keys of stored kernels contain the name of the device. Kernels with the address sanitizer need other keys.
  snprintf(name, (size_t)length, sanitizer::is_loaded() ? "CUDA stand-in, address sanitizer" : "CUDA stand-in");
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice) {
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = largest_group; break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 4; break;
    case CU_DEVICE_ATTRIBUTE_INTEGRATED: *value = 0; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = (int)setting("STAND_IN_CAPABILITY", 90) / 10; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = (int)setting("STAND_IN_CAPABILITY", 90) % 10; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = most_shared_bytes; break;
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
  BEGIN_CALL();
  contexts[device].device = device;
  *context = &contexts[device];
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) { return CUDA_SUCCESS; }

EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
  current_context = context;
  BEGIN_CALL();
  return CUDA_SUCCESS;
}

// MARK: - Memory

EXPORT CUresult cuMemGetInfo_v2(size_t *available, size_t *total) {
  std::lock_guard<std::mutex> lock(state().mutex);
  *total = total_memory();
  *available = *total - state().allocations.used;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  if (current_context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  std::lock_guard<std::mutex> lock(state().mutex);
  BEGIN_CALL();
  if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  if (state().allocations.used + bytes > total_memory()) return CUDA_ERROR_OUT_OF_MEMORY;
  return state().allocations.add(address, bytes);
}

EXPORT CUresult cuMemFree_v2(CUdeviceptr address) {
  std::lock_guard<std::mutex> lock(state().mutex);
  return state().allocations.remove(address);
}

EXPORT CUresult cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream) {
  BEGIN_CALL();
  return cuMemAlloc_v2(address, bytes);
}

EXPORT CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  stream->add([address] { cuMemFree_v2(address); });
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemHostAlloc(void **memory, size_t bytes, unsigned int) {
  BEGIN_CALL();
  return posix_memalign(memory, 4096, bytes) == 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT CUresult cuMemFreeHost(void *memory) {
  free(memory);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemsetD8Async(CUdeviceptr address, unsigned char value, size_t count, CUstream stream) {
  BEGIN_CALL();
  stream->add([=] { memset((void *)address, value, count); });
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr target, const void *source, size_t bytes, CUstream stream) {
  BEGIN_CALL();
  stream->add([=] { memcpy((void *)target, source, bytes); });
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr target, CUdeviceptr source, size_t bytes, CUstream stream) {
  BEGIN_CALL();
  stream->add([=] { memcpy((void *)target, (const void *)source, bytes); });
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemcpyDtoHAsync_v2(void *target, CUdeviceptr source, size_t bytes, CUstream stream) {
  BEGIN_CALL();
  stream->add([=] { memcpy(target, (const void *)source, bytes); });
  return CUDA_SUCCESS;
}

// MARK: - Streams and events

EXPORT CUresult cuStreamCreate(CUstream *stream, unsigned int) {
  BEGIN_CALL();
  *stream = new CUstream_st;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamDestroy_v2(CUstream stream) {
  delete stream;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamSynchronize(CUstream stream) {
  stream->wait();
  BEGIN_CALL();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned int) {
  BEGIN_CALL();
  auto point = event->point;
  if (point != nullptr) stream->add([point] { point->wait(); });
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventCreate(CUevent *event, unsigned int) {
  BEGIN_CALL();
  *event = new CUevent_st;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventDestroy_v2(CUevent event) {
  delete event;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventRecord(CUevent event, CUstream stream) {
  BEGIN_CALL();
  auto point = std::make_shared<Point>();
  event->point = point;
  stream->add([point] { point->reach(); });
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventQuery(CUevent event) {
  BEGIN_CALL();
  if (event->point == nullptr) return CUDA_SUCCESS;
  std::lock_guard<std::mutex> lock(event->point->mutex);
  return event->point->is_reached ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

EXPORT CUresult cuEventSynchronize(CUevent event) {
  if (event->point != nullptr) event->point->wait();
  BEGIN_CALL();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
  for (CUevent event : {start, end}) {
    if (event->point == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (cuEventQuery(event) == CUDA_ERROR_NOT_READY) return CUDA_ERROR_NOT_READY;
  }
  *milliseconds = (float)(1e3 * (end->point->seconds - start->point->seconds));
  return CUDA_SUCCESS;
}

// MARK: - Modules and launches

EXPORT CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  BEGIN_CALL();
  Elf64_Ehdr header;
  memcpy(&header, image, sizeof header);
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return CUDA_ERROR_INVALID_IMAGE;
  // The size of the image is not passed. The section headers are the last part of the file, so their end is its end.
  size_t bytes = header.e_shoff + (size_t)header.e_shnum * header.e_shentsize;
  // The dynamic loader identifies libraries by their paths, so each module needs a path of its own. The address
  // sanitizer reads the module when it reports an error, which may be at any time. With the sanitizer, the module is
  // therefore a file in memory (memfd), which exists until the end of the process.
  bool stays = sanitizer::is_loaded();
  char path[] = "/tmp/cuda-stand-in-XXXXXX";
  int file = stays ? memfd_create("module", 0) : mkstemp(path);
  if (file < 0) return CUDA_ERROR_INVALID_IMAGE;
  if (stays) snprintf(path, sizeof path, "/proc/%d/fd/%d", getpid(), file);
  bool is_written = write(file, image, bytes) == (ssize_t)bytes;
  if (!stays) close(file);
  void *library = is_written ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (library == nullptr) fprintf(stderr, "CUDA stand-in: %s\n", is_written ? dlerror() : "writing a module failed");
  if (!stays) unlink(path);
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
  BEGIN_CALL();
  void *kernel = dlsym(module->library, (std::string("stand_in_call_") + name).c_str());
  auto sizes = (const int *)dlsym(module->library, (std::string("stand_in_sizes_") + name).c_str());
  if (kernel == nullptr || sizes == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUfunc_st &found = module->functions[name];
  found.kernel = (Kernel)kernel;
  found.sizes = sizes;
  *function = &found;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
  BEGIN_CALL();
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return CUDA_ERROR_INVALID_VALUE;
  if (value < 0 || value > most_shared_bytes) return CUDA_ERROR_INVALID_VALUE;
  function->most_shared_bytes = (unsigned int)value;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuLaunchKernel(
    CUfunction function, unsigned int groups, unsigned int, unsigned int, unsigned int threads, unsigned int,
    unsigned int, unsigned int shared_bytes, CUstream stream, void **parameters, void **) {
  BEGIN_CALL();
  if (current_context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  LaunchTask task(function, groups, threads, shared_bytes, parameters);
  if (task.check() == CUDA_SUCCESS && runs_kernels()) stream->add(task);
  return task.check();
}

// MARK: - Graphs

struct CUgraphNode_st {
  LaunchTask task;
  size_t index;
};
struct CUgraph_st {
  std::vector<std::unique_ptr<CUgraphNode_st>> nodes;
};
struct CUgraphExec_st {
  /// The launch of each node, in the order in which the nodes were added.
  std::vector<LaunchTask> tasks;
};

EXPORT CUresult cuGraphCreate(CUgraph *graph, unsigned int) {
  BEGIN_CALL();
  *graph = new CUgraph_st;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphDestroy(CUgraph graph) {
  delete graph;
  return CUDA_SUCCESS;
}

/// Each node must depend on the node before it, as in the graphs of `CUDAGraph`.
EXPORT CUresult cuGraphAddKernelNode_v2(
    CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies, size_t count,
    const CUDA_KERNEL_NODE_PARAMS *parameters) {
  BEGIN_CALL();
  bool is_chained = graph->nodes.empty() ? count == 0 : count == 1 && dependencies[0] == graph->nodes.back().get();
  LaunchTask task(
      parameters->function, parameters->groups_x, parameters->threads_x, parameters->shared_bytes,
      parameters->parameters);
  if (!is_chained || task.check() != CUDA_SUCCESS) return CUDA_ERROR_INVALID_VALUE;
  graph->nodes.push_back(std::make_unique<CUgraphNode_st>(CUgraphNode_st{task, graph->nodes.size()}));
  *node = graph->nodes.back().get();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph, unsigned long long) {
  BEGIN_CALL();
  *executable = new CUgraphExec_st;
  for (const auto &node : graph->nodes) (*executable)->tasks.push_back(node->task);
  return CUDA_SUCCESS;
}

EXPORT CUresult
cuGraphExecKernelNodeSetParams_v2(CUgraphExec executable, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *parameters) {
  BEGIN_CALL();
  if (node->index >= executable->tasks.size()) return CUDA_ERROR_INVALID_VALUE;
  LaunchTask task(
      parameters->function, parameters->groups_x, parameters->threads_x, parameters->shared_bytes,
      parameters->parameters);
  executable->tasks[node->index] = task;
  return task.check();
}

EXPORT CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  BEGIN_CALL();
  if (current_context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (!runs_kernels()) return CUDA_SUCCESS;
  for (const auto &task : executable->tasks) stream->add(task);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphExecDestroy(CUgraphExec executable) {
  delete executable;
  return CUDA_SUCCESS;
}
