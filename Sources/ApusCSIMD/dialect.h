// The *dialect* of C: the C definitions of the names that Kernels/prelude/math.h lists. Sources that C, OpenCL C and
// CUDA share use these names. Vectors have 16 elements on every instruction set, so that reductions have the same order
// everywhere. Before an isa_*.c file includes this file, it defines CSIMD_HAS_FMA and, if the instruction set has them,
// CSIMD_HAS_F16C and CSIMD_HAS_AVX512 (see loops.h).

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
// Vectors are passed between inlined functions only, so that no calling convention is involved.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float VF __attribute__((ext_vector_type(16)));
typedef int32_t VI __attribute__((ext_vector_type(16)));
typedef uint32_t VU __attribute__((ext_vector_type(16)));
typedef double VD __attribute__((ext_vector_type(16)));
typedef int64_t VL __attribute__((ext_vector_type(16)));
typedef uint64_t VW __attribute__((ext_vector_type(16)));

#define LANES 16
#define WIDE(name) name
#define INLINE static inline __attribute__((always_inline, unused))
#define ALWAYS_INLINE INLINE
// The next loop is unrolled completely, so that arrays that it indexes stay in registers.
#define UNROLL _Pragma("clang loop unroll(full)")
#define HAS_FLOAT64 1

#define AS_I(x) ((VI)(x))
#define AS_F(x) ((VF)(x))
#define AS_U(x) ((VU)(x))
#define AS_L(x) ((VL)(x))
#define AS_W(x) ((VW)(x))
#define TO_F(x) __builtin_convertvector(x, VF)
#define TO_I(x) __builtin_convertvector(x, VI)
#define ANY32(m) (__builtin_reduce_or(m) != 0)
#define ANY64(m) (__builtin_reduce_or(m) != 0)
#define TRUTH32(m) ((m) & 1)
#define TRUTH64(m) __builtin_convertvector((m) & 1, VI)

#include "../../Kernels/prelude/bits.h"

INLINE VU multiply_high(VU a, VU b) {
  VW product = __builtin_convertvector(a, VW) * __builtin_convertvector(b, VW);
  return __builtin_convertvector(product >> 32, VU);
}
#define MULTIPLY_HIGH(a, b) multiply_high(a, b)

#define LIBM1(name)                                       \
  INLINE VD name##_f64(VD a) {                            \
    VD r;                                                 \
    for (int i = 0; i < LANES; i += 1) r[i] = name(a[i]); \
    return r;                                             \
  }
#define LIBM2(name)                                             \
  INLINE VD name##_f64(VD a, VD b) {                            \
    VD r;                                                       \
    for (int i = 0; i < LANES; i += 1) r[i] = name(a[i], b[i]); \
    return r;                                                   \
  }
INLINE VF libm_fmod(VF a, VF b) {
  VF r;
  for (int i = 0; i < LANES; i += 1) r[i] = fmodf(a[i], b[i]);
  return r;
}
#define LIBM_FMOD(a, b) libm_fmod(a, b)

#if CSIMD_HAS_FMA
#define FMA(a, b, c) __builtin_elementwise_fma((VF)(a), (VF)(b), (VF)(c))
#define EXACT_FMA(a, b, c) FMA(a, b, c)
#define FLOOR(x) __builtin_elementwise_floor(x)
#define CEIL(x) __builtin_elementwise_ceil(x)
#define ROUND(x) __builtin_elementwise_roundeven(x)
#define TRUNCATE(x) __builtin_elementwise_trunc(x)
#else
// An instruction set without FMA has no rounding instructions either, so the built-in functions would call libm.
#define FMA(a, b, c) ((VF)(a) * (VF)(b) + (VF)(c))
INLINE VF exact_fma(VF a, VF b, VF c) {
  VD product = __builtin_convertvector(a, VD) * __builtin_convertvector(b, VD);
  return __builtin_convertvector(product + __builtin_convertvector(c, VD), VF);
}
#define EXACT_FMA(a, b, c) exact_fma((VF)(a), (VF)(b), (VF)(c))
INLINE VF round_even(VF x) {
  VF t = ABSOLUTE_F(x);
  VF r = (t + 8388608.0f) - 8388608.0f;
  return t < 8388608.0f ? WITH_SIGN_OF(r, x) : x;
}
INLINE VF floor_steps(VF x) {
  VF r = round_even(x);
  VF lower = r > x ? r - 1.0f : r;
  return WITH_SIGN_OF(lower, x);
}
#define ROUND(x) round_even(x)
#define FLOOR(x) floor_steps(x)
#define CEIL(x) (-floor_steps(-(x)))
#define TRUNCATE(x) WITH_SIGN_OF(floor_steps(ABSOLUTE_F(x)), x)
#endif
#define SQUARE_ROOT(x) __builtin_elementwise_sqrt(x)
#if defined(CSIMD_HAS_AVX512)
#define SCALED(x, j) ((VF)_mm512_scalef_ps((__m512)(x), (__m512)(j)))
#endif

#include "../../Kernels/prelude/math.h"
#include "../../Kernels/prelude/logarithm.h"
#include "../../Kernels/prelude/hyperbolic.h"
#include "../../Kernels/prelude/trigonometry.h"
#include "../../Kernels/prelude/normal.h"
#if CSIMD_HAS_F16C
typedef float VF8 __attribute__((ext_vector_type(8)));
typedef uint16_t VH __attribute__((ext_vector_type(16), aligned(2), may_alias));
#if defined(CSIMD_HAS_AVX512)
INLINE VH HALF_FROM_FLOAT(VF a) {
  return (VH)_mm512_cvtps_ph((__m512)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
INLINE VF FLOAT_FROM_HALF(VH h) { return (VF)_mm512_cvtph_ps((__m256i)h); }
#else
INLINE VH HALF_FROM_FLOAT(VF a) {
  __m128i low = _mm256_cvtps_ph((__m256)a.lo, _MM_FROUND_TO_NEAREST_INT);
  __m128i high = _mm256_cvtps_ph((__m256)a.hi, _MM_FROUND_TO_NEAREST_INT);
  return (VH)_mm256_set_m128i(high, low);
}
INLINE VF FLOAT_FROM_HALF(VH h) {
  __m256i all = (__m256i)h;
  __m256 low = _mm256_cvtph_ps(_mm256_castsi256_si128(all));
  __m256 high = _mm256_cvtph_ps(_mm256_extracti128_si256(all, 1));
  return __builtin_shufflevector((VF8)low, (VF8)high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
#endif
#define HAS_HALF 1
#else
#define HAS_HALF 0
#endif

#include "../../Kernels/prelude/rounding.h"
