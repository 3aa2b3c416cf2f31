// TMA copies of boxes between tensors in global memory and shared memory, and the stand-in's format of tensor maps.
#pragma once
#include <string.h>

#include "barriers.h"
#include "tensor_map.h"

namespace {

/// The address in shared memory to which a swizzle of 16 << `bits` bytes moves the byte at an address: the `bits`
/// address bits from bit 7 on are XORed into those from bit 4 on. Without swizzle, `bits` is 0.
uintptr_t swizzled(uintptr_t address, int bits) { return address ^ (address >> 7 & ((1u << bits) - 1)) << 4; }

/// The contents of a tensor map.
struct TensorMap {
  static constexpr uint32_t valid = 0x70616d74;
  uint32_t mark;
  uint8_t rank, element_bytes, swizzle_bits, unused;
  uint64_t address;
  /// The number of elements in each dimension.
  uint64_t sizes[5];
  /// The distance in bytes between neighbors in each dimension but the first.
  uint64_t strides[4];
  uint32_t box[5];
  uint32_t padding;

  int box_bytes() const {
    int bytes = element_bytes;
    for (int i = 0; i < rank; i += 1) bytes *= (int)box[i];
    return bytes;
  }

  /// Calls `element` with two addresses for each element of the box: in shared memory and in the tensor. The second one
  /// is null if the element is outside of the tensor.
  template <typename Element> void for_each(char *shared, const int *start, Element element) const {
    int count = box_bytes() / element_bytes;
    for (int i = 0; i < count; i += 1) {
      bool is_inside = true;
      uint64_t offset = 0;
      int rest = i;
      for (int k = 0; k < rank; k += 1) {
        int64_t position = (int64_t)start[k] + rest % (int)box[k];
        rest /= (int)box[k];
        is_inside = is_inside && position >= 0 && position < (int64_t)sizes[k];
        offset += (uint64_t)position * (k == 0 ? element_bytes : strides[k - 1]);
      }
      auto place = (char *)swizzled((uintptr_t)(shared + (size_t)i * element_bytes), swizzle_bits);
      element(place, is_inside ? (char *)(address + offset) : nullptr);
    }
  }
};
static_assert(sizeof(TensorMap) <= sizeof(CUtensorMap));

/// A TMA copy of a box between a tensor and shared memory. `start` is the position of the box's first element.
struct BoxCopy {
  static constexpr bool reads = true;
  TensorMap map;
  char *shared;
  int start[3];

  BoxCopy(const void *map, const void *shared, int rank, int x, int y, int z) : shared((char *)shared), start{x, y, z} {
    check_alignment(map, 64, "the tensor map of a TMA copy");
    memcpy(&this->map, map, sizeof this->map);
    if (this->map.mark != TensorMap::valid || this->map.rank != rank) {
      fail(CUDA_ERROR_ILLEGAL_INSTRUCTION, "a TMA copy in %d dimensions with a map that has not %d", rank, rank);
    }
    check_alignment(shared, 128, "a TMA copy");
    sanitizer::check_write(this->shared, (size_t)this->map.box_bytes());
  }

  void load() const {
    size_t bytes = map.element_bytes;
    map.for_each(shared, start, [bytes](char *place, const char *element) {
      if (element == nullptr) {
        memset(place, 0, bytes);
      } else {
        sanitizer::check_read(element, bytes);
        memcpy(place, element, bytes);
      }
    });
  }

  /// Lands a TMA store.
  void land() const {
    size_t bytes = map.element_bytes;
    map.for_each(shared, start, [bytes](const char *place, char *element) {
      if (element == nullptr) return;
      sanitizer::check_write(element, bytes);
      memcpy(element, place, bytes);
    });
  }
};

/// A TMA load, whose bytes an mbarrier counts.
struct BoxLoad {
  BoxCopy copy;
  void *barrier;

  void land() const {
    copy.load();
    PhaseBarrier::at(barrier, "a TMA load")->land(copy.map.box_bytes());
  }
};

int bytes_of(CUtensorMapDataType type) {
  switch (type) {
    case CU_TENSOR_MAP_DATA_TYPE_UINT8: return 1;
    case CU_TENSOR_MAP_DATA_TYPE_UINT16:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT16:
    case CU_TENSOR_MAP_DATA_TYPE_BFLOAT16: return 2;
    case CU_TENSOR_MAP_DATA_TYPE_UINT64:
    case CU_TENSOR_MAP_DATA_TYPE_INT64:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT64: return 8;
    default: return type <= CU_TENSOR_MAP_DATA_TYPE_TFLOAT32_FTZ ? 4 : 0;
  }
}

/// Whether the driver accepts these arguments of `cuTensorMapEncodeTiled`. The stand-in supports neither interleaved
/// layouts nor NaN for the elements outside of the tensor.
bool is_valid(
    const void *map, int bytes, uint32_t rank, uint64_t address, const uint64_t *sizes, const uint64_t *strides,
    const uint32_t *box, const uint32_t *element_strides, int swizzle) {
  if (map == nullptr || (uintptr_t)map % 64 != 0 || bytes == 0 || rank < 1 || rank > 5) return false;
  if (address == 0 || address % 16 != 0) return false;
  for (uint32_t i = 0; i < rank; i += 1) {
    if (sizes[i] == 0 || sizes[i] > 1ull << 32 || box[i] == 0 || box[i] > 256) return false;
    if (element_strides[i] == 0 || element_strides[i] > 8) return false;
    if (i > 0 && (strides[i - 1] % 16 != 0 || strides[i - 1] >= 1ull << 40)) return false;
  }
  if (swizzle < 0 || swizzle > CU_TENSOR_MAP_SWIZZLE_128B) return false;
  uint64_t row = (uint64_t)box[0] * (uint64_t)bytes;
  return row % 16 == 0 && (swizzle == CU_TENSOR_MAP_SWIZZLE_NONE || row <= 16ull << swizzle);
}

} // namespace

EXPORT CUresult cuTensorMapEncodeTiled(
    CUtensorMap *map, CUtensorMapDataType type, uint32_t rank, void *address, const uint64_t *sizes,
    const uint64_t *strides, const uint32_t *box, const uint32_t *element_strides, CUtensorMapInterleave interleave,
    CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill) {
  int bytes = type < 0 ? 0 : bytes_of(type);
  if (!is_valid(map, bytes, rank, (uint64_t)address, sizes, strides, box, element_strides, swizzle) ||
      interleave != CU_TENSOR_MAP_INTERLEAVE_NONE || promotion < 0 || promotion > CU_TENSOR_MAP_L2_PROMOTION_L2_256B ||
      fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  TensorMap result = {};
  result.mark = TensorMap::valid;
  result.rank = (uint8_t)rank;
  result.element_bytes = (uint8_t)bytes;
  result.swizzle_bits = (uint8_t)swizzle;
  result.address = (uint64_t)address;
  for (uint32_t i = 0; i < rank; i += 1) {
    // `for_each` copies boxes without gaps only.
    if (element_strides[i] != 1) return CUDA_ERROR_INVALID_VALUE;
    result.sizes[i] = sizes[i];
    result.box[i] = box[i];
    if (i > 0) result.strides[i - 1] = strides[i - 1];
  }
  memset(map, 0, sizeof *map);
  memcpy(map, &result, sizeof result);
  return CUDA_SUCCESS;
}
