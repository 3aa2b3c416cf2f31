// The memory of the stand-in's devices. Each allocation lies between two red zones.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <map>

#include "sanitizer.h"

#include "../../Sources/CCUDA/include/ccuda.h"

namespace {

constexpr size_t red_zone = 4096;
constexpr unsigned char red_zone_byte = 0xa5;

/// The allocations, by address. The caller serializes the calls.
class Allocations {
  std::map<CUdeviceptr, size_t> sizes;

public:
  size_t used = 0;

  CUresult add(CUdeviceptr *address, size_t bytes) {
    char *memory = nullptr;
    if (posix_memalign((void **)&memory, 256, bytes + 2 * red_zone) != 0) return CUDA_ERROR_OUT_OF_MEMORY;
    memset(memory, red_zone_byte, red_zone);
    memset(memory + red_zone, 0xff, bytes);
    memset(memory + red_zone + bytes, red_zone_byte, red_zone);
    sanitizer::poison(memory, red_zone);
    sanitizer::poison(memory + red_zone + bytes, red_zone);
    *address = (CUdeviceptr)(memory + red_zone);
    sizes[*address] = bytes;
    used += bytes;
    return CUDA_SUCCESS;
  }

  CUresult remove(CUdeviceptr address) {
    auto found = sizes.find(address);
    if (found == sizes.end()) return CUDA_ERROR_INVALID_VALUE;
    size_t bytes = found->second;
    unsigned char *memory = (unsigned char *)address - red_zone;
    sanitizer::unpoison(memory, bytes + 2 * red_zone);
    for (size_t i = 0; i < red_zone; i += 1) {
      if (memory[i] != red_zone_byte || memory[red_zone + bytes + i] != red_zone_byte) {
        fprintf(stderr, "CUDA stand-in: a kernel wrote just outside an allocation of %zu bytes\n", bytes);
        abort();
      }
    }
    memset(memory, 0xfe, bytes + 2 * red_zone);
    free(memory);
    sizes.erase(found);
    used -= bytes;
    return CUDA_SUCCESS;
  }
};

} // namespace
