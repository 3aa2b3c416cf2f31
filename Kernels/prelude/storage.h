// Loads, stores and conversions of the element types, for C, OpenCL C and CUDA. Included after prelude/rounding.h.
//
// A register has WIDTH lanes (elements). The first `count` lanes are valid; `count` is WIDTH except at the end of a row
// of elements in memory.
// t is an element type, such as float16; a and b are arithmetic types: i32, i64, f32 or f64. VI is a register of i32.
//   LOAD_t(p, at, count)               elements at, at + 1, …
//   EXACT_t(p, at, count)              the same, but only `count` elements: other threads may be writing later ones
//   EVEN_t(p, at, count)               elements at, at + 2, …
//   GATHER_t(p, at, stride, count)     elements at, at + stride, …
//   SPLAT_t(p, at)                     one element in all lanes
//   STORE_t, SCATTER_t(…, v)           store v where LOAD_t and GATHER_t read
//   VALUE_t(v), ELEMENT_t(v)           the value of elements as they are in memory, and the reverse
//   CONVERT_a_b(v)                     from type a to type b; float to integer truncates and saturates, NaN becomes 0
//   CHOOSE_a(condition, x, y)          x where the VI condition is not 0, else y
//   CONSTANT_a(bits)                   the number with these bits in all lanes
//   SEQUENCE_a(first, step)            first, first + step, …
//   SCALAR_a(bank, entry)              a number that the host passes to a run, an entry of `bank`, in all lanes
//   FIRST_a(v), ROTATE_a(v, by)        the first lane; the lanes rotated so that lane `by` is the first
//   LANE_MASK(count)                   1 in the first `count` lanes, else 0
//   ACCUMULATE_a(x, y, sum)            sum + x·y; integers wrap around

#define SMALLER(a, b) ((a) < (b) ? (a) : (b))
#define LARGER(a, b) ((a) > (b) ? (a) : (b))

// ---- Memory

#define READ_SAME(v) (v)
#define READ_i8(v) I_FROM_i8(v)
#define READ_u8(v) I_FROM_u8(v)
#define READ_HALF(v) FLOAT_FROM_HALF(v)
#define READ_BFLOAT16(v) WIDE(float_from_bfloat16)(I_FROM_u16(v))
#define WRITE_SAME(v) (v)
#define WRITE_i8(v) i8_FROM_I(v)
#define WRITE_u8(v) u8_FROM_I(v)
#define WRITE_BOOL(v) u8_FROM_I(TRUTH32((v) != 0))
#define WRITE_HALF(v) HALF_FROM_FLOAT(v)
#define WRITE_BFLOAT16(v) u16_FROM_I(WIDE(bfloat16_from_float)(v))

// Except for EXACT_t, a load may read memory after the last valid lane; all memory allocations end with padding for
// that. Lanes from `count` on are unspecified.
#define DEFINE_STORAGE(name, type, wide, V, READ, WRITE)                                            \
  INLINE V VALUE_##name(wide v) { return READ(v); }                                                 \
  INLINE wide ELEMENT_##name(V v) { return WRITE(v); }                                              \
  INLINE V LOAD_##name(GLOBAL const type *p, i64 at, int count) {                                   \
    wide v = VLOAD(p + at);                                                                         \
    return READ(v);                                                                                 \
  }                                                                                                 \
  INLINE V EXACT_##name(GLOBAL const type *p, i64 at, int count) {                                  \
    wide v;                                                                                         \
    if (count == WIDTH) {                                                                           \
      v = VLOAD(p + at);                                                                            \
    } else {                                                                                        \
      v = VPICK(wide, p + at, 1, count - 1);                                                        \
    }                                                                                               \
    return READ(v);                                                                                 \
  }                                                                                                 \
  INLINE V EVEN_##name(GLOBAL const type *p, i64 at, int count) {                                   \
    wide v = VLOAD_EVEN(wide, p + at);                                                              \
    return READ(v);                                                                                 \
  }                                                                                                 \
  INLINE V GATHER_##name(GLOBAL const type *p, i64 at, i64 stride, int count) {                     \
    wide v;                                                                                         \
    if (stride == 1) {                                                                              \
      v = VLOAD(p + at);                                                                            \
    } else if (stride == 2) {                                                                       \
      v = VLOAD_EVEN(wide, p + at);                                                                 \
    } else {                                                                                        \
      v = VPICK(wide, p + at, stride, count - 1);                                                   \
    }                                                                                               \
    return READ(v);                                                                                 \
  }                                                                                                 \
  INLINE V SPLAT_##name(GLOBAL const type *p, i64 at) {                                             \
    wide v = (wide)(p[at]);                                                                         \
    return READ(v);                                                                                 \
  }                                                                                                 \
  INLINE void STORE_##name(GLOBAL type *p, i64 at, int count, V value) {                            \
    wide v = WRITE(value);                                                                          \
    if (count == WIDTH) {                                                                           \
      VSTORE(v, p + at);                                                                            \
    } else {                                                                                        \
      VSTORE_PART_##type(v, p + at, count);                                                         \
    }                                                                                               \
  }                                                                                                 \
  INLINE void SCATTER_##name(GLOBAL type *p, i64 at, i64 stride, int count, V value) {              \
    wide v = WRITE(value);                                                                          \
    type part[WIDTH];                                                                               \
    VSTORE(v, part);                                                                                \
    NO_UNROLL for (int lane = 0; lane < count; lane += 1) p[at + lane * stride] = part[lane];       \
  }

DEFINE_STORAGE(bool, u8, V_u8, VI, READ_u8, WRITE_BOOL)
DEFINE_STORAGE(uint8, u8, V_u8, VI, READ_u8, WRITE_u8)
DEFINE_STORAGE(int8, i8, V_i8, VI, READ_i8, WRITE_i8)
DEFINE_STORAGE(int32, int, VI, VI, READ_SAME, WRITE_SAME)
DEFINE_STORAGE(int64, i64, VL, VL, READ_SAME, WRITE_SAME)
DEFINE_STORAGE(float16, u16, V_u16, VF, READ_HALF, WRITE_HALF)
DEFINE_STORAGE(bfloat16, u16, V_u16, VF, READ_BFLOAT16, WRITE_BFLOAT16)
DEFINE_STORAGE(float32, float, VF, VF, READ_SAME, WRITE_SAME)
// 16-bit elements that are only copied.
DEFINE_STORAGE(word16, u16, V_u16, V_u16, READ_SAME, WRITE_SAME)

// The scalar bank has 8 bytes per entry.
#define SCALAR_i32(bank, entry) ((VI)(((GLOBAL const int *)(bank))[2 * (entry)]))
#define SCALAR_i64(bank, entry) ((VL)((bank)[entry]))
#define SCALAR_f32(bank, entry) ((VF)(((GLOBAL const float *)(bank))[2 * (entry)]))

// ---- Registers

#define CONSTANT_i32(bits) ((VI)((int)(bits)))
#define CONSTANT_i64(bits) ((VL)((i64)(bits)))
#define CONSTANT_f32(bits) ((VF)(BITS_F(bits)))
#define SEQUENCE_i32(first, step) ((VI)((int)(first)) + LANES_I * (VI)((int)(step)))
#define SEQUENCE_i64(first, step) ((VL)((i64)(first)) + LANES_L * (VL)((i64)(step)))

#define CHOOSE_i32(c, x, y) (((c) != 0) ? (x) : (y))
#define CHOOSE_f32(c, x, y) (((c) != 0) ? (x) : (y))
#define CHOOSE_i64(c, x, y) (MASK64(c) ? (x) : (y))

#define CONVERT_i32_i32(v) (v)
#define CONVERT_i32_i64(v) L_FROM_I(v)
#define CONVERT_i32_f32(v) TO_F(v)
#define CONVERT_i64_i32(v) I_FROM_L(v)
#define CONVERT_i64_i64(v) (v)
#define CONVERT_i64_f32(v) F_FROM_L(v)
#define CONVERT_f32_f32(v) (v)
INLINE VI CONVERT_f32_i32(VF v) { return I_SATURATED_F(SELECT_F(v == v, v, (VF)(0.0f))); }
INLINE VL CONVERT_f32_i64(VF v) { return L_SATURATED_F(SELECT_F(v == v, v, (VF)(0.0f))); }

#define DEFINE_LANES(suffix, type, V)             \
  INLINE V ROTATE_##suffix(V v, int by) {         \
    type part[2 * WIDTH];                         \
    VSTORE(v, part);                              \
    VSTORE(v, part + WIDTH);                      \
    return VLOAD(part + by);                      \
  }
DEFINE_LANES(i32, int, VI)
DEFINE_LANES(i64, i64, VL)
DEFINE_LANES(f32, float, VF)
#define FIRST_i32(v) FIRST_LANE(v)
#define FIRST_i64(v) FIRST_LANE(v)
#define FIRST_f32(v) FIRST_LANE(v)

#define LANE_MASK(count) TRUTH32(LANES_I < (VI)(count))

#if HAS_FLOAT64
DEFINE_LANES(f64, double, VD)
#define FIRST_f64(v) FIRST_LANE(v)
DEFINE_STORAGE(float64, double, VD, VD, READ_SAME, WRITE_SAME)
#define SCALAR_f64(bank, entry) ((VD)(((GLOBAL const double *)(bank))[entry]))
#define CONSTANT_f64(bits) ((VD)(BITS_D(bits)))
#define CHOOSE_f64(c, x, y) (MASK64(c) ? (x) : (y))
#define CONVERT_f64_f64(v) (v)
#define CONVERT_i32_f64(v) D_FROM_I(v)
#define CONVERT_i64_f64(v) D_FROM_L(v)
#define CONVERT_f32_f64(v) D_FROM_F(v)
#define CONVERT_f64_f32(v) F_FROM_D(v)
INLINE VI CONVERT_f64_i32(VD v) { return I_SATURATED_D(v == v ? v : (VD)(0.0)); }
INLINE VL CONVERT_f64_i64(VD v) { return L_SATURATED_D(v == v ? v : (VD)(0.0)); }
#endif

#define ACCUMULATE_f32(a, b, c) FMA(a, b, c)
#define ACCUMULATE_f64(a, b, c) FMA(a, b, c)
#define ACCUMULATE_i32(a, b, c) AS_I(AS_U(c) + AS_U(a) * AS_U(b))
#define ACCUMULATE_i64(a, b, c) AS_L(AS_W(c) + AS_W(a) * AS_W(b))
