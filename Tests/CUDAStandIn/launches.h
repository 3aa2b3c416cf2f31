// Launches of kernels on the stand-in.
#pragma once
#include <atomic>
#include <vector>

#include "fibres.h"

struct CUfunc_st {
  Kernel kernel;
  int parameter_count;
  /// The most shared memory that a launch may provide.
  unsigned int most_shared_bytes = 48 << 10;
};

namespace {

/// The error that later launches, copies, allocations and waits return.
std::atomic<CUresult> lost = CUDA_SUCCESS;

/// The shared memory of a group, with an attribute of the function.
constexpr int most_shared_bytes = 227 << 10;

/// Shared memory is not initialized on a GPU. Here, its bytes are those of NaN, so that reading them changes results.
const Chunk undefined_chunk = [] {
  Chunk chunk;
  memset(chunk.bytes, 0xff, sizeof chunk.bytes);
  return chunk;
}();

/// A kernel with its launch's parameters.
struct LaunchTask {
  Kernel kernel;
  unsigned int groups, threads, shared_bytes;
  bool has_shared_bytes;
  std::vector<uint64_t> parameters;

  LaunchTask(
      CUfunction function, unsigned int groups, unsigned int threads, unsigned int shared_bytes, void **parameters)
      : kernel(function->kernel), groups(groups), threads(threads), shared_bytes(shared_bytes),
        has_shared_bytes(shared_bytes <= function->most_shared_bytes), parameters((size_t)function->parameter_count) {
    for (size_t i = 0; i < this->parameters.size(); i += 1) memcpy(&this->parameters[i], parameters[i], 8);
  }

  /// The result of the call that starts the launch.
  CUresult check() const {
    bool is_valid = groups > 0 && threads > 0 && threads <= largest_group && has_shared_bytes;
    return is_valid ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  }

  void operator()() const {
    if (lost != CUDA_SUCCESS) return;
    runner.kernel = kernel;
    runner.count = (int)threads;
    runner.parameters = parameters.data();
    for (unsigned int group = 0; group < groups; group += 1) {
      runner.shared.assign((shared_bytes + 15) / 16, undefined_chunk);
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
