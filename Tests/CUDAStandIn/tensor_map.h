// The type of cuTensorMapEncodeTiled, which fills a tensor map: the description of a tensor in global memory and of the
// box of it that a TMA copy moves.
#pragma once
#include <stdint.h>

#include "../../Sources/CCUDA/include/ccuda.h"

typedef CUresult (*TensorMapEncoder)(
    CUtensorMap *map, CUtensorMapDataType type, uint32_t rank, void *address, const uint64_t *sizes,
    const uint64_t *strides, const uint32_t *box, const uint32_t *element_strides, CUtensorMapInterleave interleave,
    CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill);
