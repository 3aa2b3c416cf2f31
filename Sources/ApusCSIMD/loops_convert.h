// Conversions between lanes (arithmetic types), and between each storage type and its lane.

#define COUNT_UP ((VL){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})

#define CONVERT_LOOP(name, R, A, expression)                       \
  DEFINE_LOOP(name, R, BYTES_OF(R), 1, SIZES(BYTES_OF(A), 0, 0), { \
    A a = OPERAND(A, 0);                                           \
    r = expression;                                                \
  })
#define TO(R, x) __builtin_convertvector(x, R)

// Truncates and saturates; NaN becomes 0. `limit` is the smallest power of two that R cannot represent.
#define SATURATED(R, A, limit, least, greatest)               \
  ({                                                          \
    A inside = (a<(A)(limit) & a>(A)(-(limit))) ? a : (A)(0); \
    R cut = TO(R, inside);                                    \
    cut = TO(R, a >= (A)(limit)) ? (R)(greatest) : cut;       \
    TO(R, a <= (A)(-(limit))) ? (R)(least) : cut;             \
  })

CONVERT_LOOP(convert_i32_i32, VI, VI, a)
CONVERT_LOOP(convert_i32_i64, VL, VI, TO(VL, a))
CONVERT_LOOP(convert_i32_f32, VF, VI, TO(VF, a))
CONVERT_LOOP(convert_i32_f64, VD, VI, TO(VD, a))
CONVERT_LOOP(convert_i64_i32, VI, VL, TO(VI, a))
CONVERT_LOOP(convert_i64_i64, VL, VL, a)
CONVERT_LOOP(convert_i64_f32, VF, VL, TO(VF, a))
CONVERT_LOOP(convert_i64_f64, VD, VL, TO(VD, a))
CONVERT_LOOP(convert_f32_i32, VI, VF, SATURATED(VI, VF, 0x1p31f, INT32_MIN, INT32_MAX))
CONVERT_LOOP(convert_f32_i64, VL, VF, SATURATED(VL, VF, 0x1p63f, INT64_MIN, INT64_MAX))
CONVERT_LOOP(convert_f32_f32, VF, VF, a)
CONVERT_LOOP(convert_f32_f64, VD, VF, TO(VD, a))
CONVERT_LOOP(convert_f64_i32, VI, VD, SATURATED(VI, VD, 0x1p31, INT32_MIN, INT32_MAX))
CONVERT_LOOP(convert_f64_i64, VL, VD, SATURATED(VL, VD, 0x1p63, INT64_MIN, INT64_MAX))
CONVERT_LOOP(convert_f64_f32, VF, VD, TO(VF, a))
CONVERT_LOOP(convert_f64_f64, VD, VD, a)

// ---- Storage types

typedef uint8_t bytes16 __attribute__((ext_vector_type(16), aligned(1), may_alias));
typedef uint8_t bytes16_any __attribute__((ext_vector_type(16), aligned(1), may_alias));
typedef uint8_t bytes16_line __attribute__((ext_vector_type(16), aligned(16), may_alias));
typedef int8_t signed16 __attribute__((ext_vector_type(16), aligned(1), may_alias));
typedef uint16_t halves16 __attribute__((ext_vector_type(16), aligned(2), may_alias));

#if HAS_HALF
INLINE VF from_float16(halves16 h) { return FLOAT_FROM_HALF((VH)h); }
// Every NaN gets the same payload and keeps its sign.
INLINE halves16 to_float16(VF a) {
  return (halves16)HALF_FROM_FLOAT(a == a ? a : AS_F((AS_I(a) & INT32_MIN) | 0x7fc00000));
}
#else
// float16 as float32: a multiplication adjusts the exponent and also normalizes subnormal numbers.
INLINE VF from_float16(halves16 h) {
  VI bits = TO(VI, h);
  VI magnitude = (bits & 0x7fff) << 13;
  VF r = AS_F(magnitude) * 0x1p112f;
  r = magnitude >= 0x0f800000 ? AS_F(magnitude | 0x7f800000) : r;
  // NaNs become quiet, as with the conversion instructions.
  r = magnitude > 0x0f800000 ? AS_F(magnitude | 0x7fc00000) : r;
  return AS_F(AS_I(r) | ((bits & 0x8000) << 16));
}

INLINE halves16 to_float16(VF a) {
  VF rounded = round_float16(a);
  VI bits = AS_I(rounded) & 0x7fffffff;
  VI normal = (bits >> 13) - (112 << 10);
  VI small = TO_I((bits < 0x38800000 ? AS_F(bits) : (VF)(0.0f)) * 0x1p24f);
  VI r = bits < 0x38800000 ? small : normal;
  r = bits >= 0x7f800000 ? (bits > 0x7f800000 ? (VI)(0x7e00) : (VI)(0x7c00)) : r;
  return TO(halves16, r | ((AS_I(a) >> 16) & 0x8000));
}
#endif

INLINE VF from_bfloat16(halves16 h) { return float_from_bfloat16(TO(VI, h)); }
INLINE halves16 to_bfloat16(VF a) { return TO(halves16, bfloat16_from_float(a)); }

INLINE VI from_bytes(bytes16 b) { return TO(VI, b); }
INLINE bytes16 to_bytes(VI a) { return TO(bytes16, a); }
INLINE VI from_signed(signed16 b) { return TO(VI, b); }
INLINE signed16 to_signed(VI a) { return TO(signed16, a); }
INLINE bytes16 to_truths(VI a) { return TO(bytes16, (a != 0) & 1); }
#define UNCHANGED(a) (a)

// Each iteration converts a vector of LANES (16) elements. Contiguous elements are read and written as a vector of the
// storage type. Strided elements, and the last ones if there are fewer than 16, are copied one by one.
#define LOAD_LOOP(name, S, STORED, R, from)                                                                       \
  static void name(size_t n, void *result, const void *source, ptrdiff_t stride) {                                \
    R *r = result;                                                                                                \
    const S *s = source;                                                                                          \
    size_t i = 0;                                                                                                 \
    for (; stride == 1 && i + 2 * LANES <= n; i += 2 * LANES) {                                                   \
      for (size_t at = 0; at < 2 * LANES * sizeof(S); at += 64) csimd_prefetch_ahead((const char *)(s + i) + at); \
      for (size_t k = i; k < i + 2 * LANES; k += LANES) {                                                         \
        STORED x = *(const STORED *)(s + k);                                                                      \
        __typeof__(from(x)) y = from(x);                                                                          \
        memcpy(r + k, &y, sizeof y);                                                                              \
      }                                                                                                           \
    }                                                                                                             \
    for (; i < n; i += LANES) {                                                                                   \
      size_t rest = n - i < LANES ? n - i : LANES;                                                                \
      STORED x = (STORED)(0);                                                                                     \
      if (stride == 1 && rest == LANES) {                                                                         \
        x = *(const STORED *)(s + i);                                                                             \
      } else {                                                                                                    \
        S group[LANES] = {0};                                                                                     \
        for (size_t k = 0; k < rest; k += 1) group[k] = s[(ptrdiff_t)(i + k) * stride];                           \
        memcpy(&x, group, sizeof group);                                                                          \
      }                                                                                                           \
      __typeof__(from(x)) y = from(x);                                                                            \
      if (rest == LANES) memcpy(r + i, &y, sizeof y);                                                             \
      else memcpy(r + i, &y, rest * sizeof(R));                                                                   \
    }                                                                                                             \
  }
#define STORE_LOOP(name, S, STORED, R, VR, to)                                                           \
  typedef STORED PASTE(name, _line) __attribute__((aligned(sizeof(STORED) < 64 ? sizeof(STORED) : 64))); \
  static void name(size_t n, void *result, ptrdiff_t stride, const void *source, int streams) {          \
    S *s = result;                                                                                       \
    const R *r = source;                                                                                 \
    size_t i = 0;                                                                                        \
    if (streams && stride == 1 && (uintptr_t)result % sizeof(PASTE(name, _line)) % 64 == 0)              \
      for (; i + LANES <= n; i += LANES) {                                                               \
        VR y;                                                                                            \
        memcpy(&y, r + i, sizeof y);                                                                     \
        STORED x = to(y);                                                                                \
        __builtin_nontemporal_store(x, (PASTE(name, _line) *)(s + i));                                   \
      }                                                                                                  \
    for (; i < n; i += LANES) {                                                                          \
      size_t rest = n - i < LANES ? n - i : LANES;                                                       \
      VR y = (VR)(0);                                                                                    \
      if (rest == LANES) memcpy(&y, r + i, sizeof y);                                                    \
      else memcpy(&y, r + i, rest * sizeof(R));                                                          \
      STORED x = to(y);                                                                                  \
      if (stride == 1 && rest == LANES) {                                                                \
        *(STORED *)(s + i) = x;                                                                          \
      } else {                                                                                           \
        S group[LANES];                                                                                  \
        memcpy(group, &x, sizeof group);                                                                 \
        for (size_t k = 0; k < rest; k += 1) s[(ptrdiff_t)(i + k) * stride] = group[k];                  \
      }                                                                                                  \
    }                                                                                                    \
  }

LOAD_LOOP(load_u8, uint8_t, bytes16, int32_t, from_bytes)
LOAD_LOOP(load_s8, int8_t, signed16, int32_t, from_signed)
LOAD_LOOP(load_s32, int32_t, VI_any, int32_t, UNCHANGED)
LOAD_LOOP(load_s64, int64_t, VL_any, int64_t, UNCHANGED)
LOAD_LOOP(load_float16, uint16_t, halves16, float, from_float16)
LOAD_LOOP(load_bfloat16, uint16_t, halves16, float, from_bfloat16)
LOAD_LOOP(load_float32, float, VF_any, float, UNCHANGED)
LOAD_LOOP(load_float64, double, VD_any, double, UNCHANGED)
STORE_LOOP(store_bool, uint8_t, bytes16, int32_t, VI, to_truths)
STORE_LOOP(store_u8, uint8_t, bytes16, int32_t, VI, to_bytes)
STORE_LOOP(store_s8, int8_t, signed16, int32_t, VI, to_signed)
STORE_LOOP(store_s32, int32_t, VI_any, int32_t, VI, UNCHANGED)
STORE_LOOP(store_s64, int64_t, VL_any, int64_t, VL, UNCHANGED)
STORE_LOOP(store_float16, uint16_t, halves16, float, VF, to_float16)
STORE_LOOP(store_bfloat16, uint16_t, halves16, float, VF, to_bfloat16)
STORE_LOOP(store_float32, float, VF_any, float, VF, UNCHANGED)
STORE_LOOP(store_float64, double, VD_any, double, VD, UNCHANGED)

#define COUNT_LOOP(name, S, R)                                                                    \
  static void name(size_t n, void *result, int64_t start, int64_t step) {                         \
    S *r = result;                                                                                \
    for (size_t i = 0; i < n; i += 1) r[i] = (S)((uint64_t)start + (uint64_t)i * (uint64_t)step); \
  }
COUNT_LOOP(count_up_i32, int32_t, VI)
COUNT_LOOP(count_up_i64, int64_t, VL)
