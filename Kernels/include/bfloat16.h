#ifndef APUS_KERNEL_BFLOAT16_H
#define APUS_KERNEL_BFLOAT16_H

#include <stdint.h>

#include "../prelude/bits.h"

/// The bits of the bfloat16 nearest to the float32 with these bits; ties round to even, and NaN becomes a quiet NaN.
static inline uint16_t apus_bfloat16_bits(uint32_t bits) {
  int is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return (uint16_t)(is_nan ? BFLOAT16_OF_NAN(bits) : BFLOAT16_ROUNDED(bits) >> 16);
}

#endif
