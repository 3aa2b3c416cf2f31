// Launches of kernels on the stand-in.
#pragma once
#include <atomic>
#include <mutex>
#include <vector>

#include "fibers.h"
#include "sanitizer.h"

struct CUfunc_st {
  Kernel kernel;
  /// The size of each parameter in bytes, a multiple of 8; a zero follows the last one.
  const int *sizes;
  /// The largest dynamic shared memory of a launch, in bytes.
  unsigned int most_shared_bytes = 48 << 10;
};

namespace {

/// The error that made the device unusable, if any. Later launches, copies, allocations and waits return it.
std::atomic<CUresult> lost = CUDA_SUCCESS;

/// The largest dynamic shared memory in bytes that a function can request with cuFuncSetAttribute.
constexpr int most_shared_bytes = 227 << 10;

/// Dynamic shared memory is not initialized on a GPU. Here, its bytes are 0xFF, which make a NaN of each floating-point
/// type, so that a read before the first write changes results.
const Chunk undefined_chunk = [] {
  Chunk chunk;
  memset(chunk.bytes, 0xff, sizeof chunk.bytes);
  return chunk;
}();

/// A launch of a kernel, with a copy of the parameters.
struct LaunchTask {
  Kernel kernel;
  unsigned int groups, threads, shared_bytes;
  bool has_shared_bytes;
  std::vector<uint64_t> parameters;

  LaunchTask(
      CUfunction function, unsigned int groups, unsigned int threads, unsigned int shared_bytes, void **parameters)
      : kernel(function->kernel), groups(groups), threads(threads), shared_bytes(shared_bytes),
        has_shared_bytes(shared_bytes <= function->most_shared_bytes) {
    for (const int *size = function->sizes; *size != 0; size += 1) {
      size_t start = this->parameters.size();
      this->parameters.resize(start + (size_t)*size / 8);
      memcpy(&this->parameters[start], *parameters++, (size_t)*size);
    }
  }

  /// The result of the call that starts the launch.
  CUresult check() const {
    bool is_valid = groups > 0 && threads > 0 && threads <= largest_group && has_shared_bytes;
    return is_valid ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  }

  void operator()() const {
    if (lost != CUDA_SUCCESS) return;
    // With the address sanitizer, arrays in shared memory are not thread-local (see device.h), so launches run one at a
    // time.
    static std::mutex mutex;
    std::unique_lock<std::mutex> lock(mutex, std::defer_lock);
    if (sanitizer::is_loaded()) lock.lock();
    runner.kernel = kernel;
    runner.count = (int)threads;
    runner.parameters = parameters.data();
    for (unsigned int group = 0; group < groups; group += 1) {
      runner.shared.assign((shared_bytes + sizeof(Chunk) - 1) / sizeof(Chunk), undefined_chunk);
      stand_in_block = {group, 0, 0};
      CUresult result = run_block();
      if (result != CUDA_SUCCESS) {
        lost = result;
        return;
      }
    }
  }
};

} // namespace
