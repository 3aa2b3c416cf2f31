// The dialect for OpenCL C 1.2: a file that defines, for this language, the names that portable kernel source uses.
// WIDTH, the number of lanes of a register, is 1 (for GPUs) or 16 (for CPUs); HAS_FLOAT64 is 0 or 1. prelude/math.h
// lists the arithmetic names that a dialect defines. prelude/one_lane.h defines the loads and stores of one lane, and
// prelude/opencl_lanes.h most loads and stores of 16 lanes.
#pragma OPENCL FP_CONTRACT OFF
#if HAS_FLOAT64 && defined(cl_khr_fp64)
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

#define KERNEL __kernel
#define GLOBAL __global
#define INLINE static inline
#if WIDTH == 1
#define ALWAYS_INLINE INLINE
#else
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#endif
#define WIDE(name) name
// Declares the only group size with which a kernel is launched.
#define GROUP_SIZE(items) __attribute__((reqd_work_group_size(items, 1, 1)))
#define REGISTER_GROUP_SIZE(items) GROUP_SIZE(items)
#define LOCAL_ARRAY(type, name, count) __local type name[count]
// A private array that is aligned to cache lines, so that loads of whole registers do not cross lines.
#define PRIVATE_ARRAY(type, name, count) type name[count] __attribute__((aligned(64)))
// On CPUs, prefetches the cache line at a pointer, which may be outside of the buffer. OpenCL C's prefetch() does not
// allow that.
#if WIDTH != 1 && defined(__has_builtin) && !defined(SPELLED_LANES)
#if __has_builtin(__builtin_prefetch)
#define PREFETCH(pointer) __builtin_prefetch((const void *)(size_t)(pointer), 0, 2)
#endif
#endif
#ifndef PREFETCH
#define PREFETCH(pointer)
#endif
#define CONSTANT_TABLE __constant
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
// A barrier after which the work-items of a group see each other's writes to global memory.
#if WIDTH == 1
#define GLOBAL_BARRIER() barrier(CLK_GLOBAL_MEM_FENCE)
#else
#define GLOBAL_BARRIER()
#endif
#if WIDTH == 1
#define GROUP_ID() get_group_id(0)
#define LOCAL_ID() ((int)get_local_id(0))
#else
// A group is one work-item. The body of a kernel is a function that receives the index of the group.
#define OUTLINED static __attribute__((noinline))
#define GROUP_ID() group_id
#define LOCAL_ID() 0
#endif
// Loads four elements from an address that is a multiple of 16.
#define LOAD_QUAD(p) (*(GLOBAL const float4 *)(p))
// See prelude/cuda.h.
#define CHUNK(type, name, count) type name[count] __attribute__((aligned(16)))
#define LOAD_CHUNK(words, name, p) (*(words *)(name) = *(GLOBAL const words *)(p))
#define STORE_CHUNK(words, name, p) (*(GLOBAL words *)(p) = *(const words *)(name))
#define UNROLL _Pragma("unroll")
#define NO_UNROLL _Pragma("clang loop unroll(disable) vectorize(disable)")

typedef char i8;
typedef uchar u8;
typedef ushort u16;
typedef uint u32;
typedef long i64;
typedef ulong u64;

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

// SPELLED_LANES makes macros list all lanes, because oclgrind's check for uninitialized values misreads vectors that
// are assembled from parts of other vectors.
#if WIDTH == 1
#define VECTOR(type) type
#define CONVERT(type) JOIN(convert_, type)
#else
#define VECTOR(type) JOIN(type, WIDTH)
#define CONVERT(type) JOIN(convert_, VECTOR(type))
#define VLOAD(p) load_lanes(p)
#define VSTORE(v, p) store_lanes(v, p)
// Loads the elements 0, 2, 4, …, one for each lane, and reads no memory after the element of the last lane.
#ifdef SPELLED_LANES
#define VLOAD_EVEN(wide, p)                                                                    \
  ((wide)((p)[0], (p)[2], (p)[4], (p)[6], (p)[8], (p)[10], (p)[12], (p)[14], (p)[16], (p)[18], \
          (p)[20], (p)[22], (p)[24], (p)[26], (p)[28], (p)[30]))
#else
#define VLOAD_EVEN(wide, p) ((wide)(VLOAD(p).even, VLOAD((p) + WIDTH - 1).odd))
#endif
// Loads elements `stride` apart; lanes above `last` repeat lane `last`.
#define PICK_(p, lane, stride, last) (p)[((lane) < (last) ? (lane) : (last)) * (stride)]
#define VPICK(wide, p, stride, last)                                                  \
  ((wide)(PICK_(p, 0, stride, last), PICK_(p, 1, stride, last), PICK_(p, 2, stride, last),     \
          PICK_(p, 3, stride, last), PICK_(p, 4, stride, last), PICK_(p, 5, stride, last),     \
          PICK_(p, 6, stride, last), PICK_(p, 7, stride, last), PICK_(p, 8, stride, last),     \
          PICK_(p, 9, stride, last), PICK_(p, 10, stride, last), PICK_(p, 11, stride, last),   \
          PICK_(p, 12, stride, last), PICK_(p, 13, stride, last), PICK_(p, 14, stride, last),  \
          PICK_(p, 15, stride, last)))
#define FIRST_LANE(v) ((v).s0)
// LOWERED_k moves lanes k to 2k − 1 of 16 lanes to the first k lanes; the other lanes are unspecified.
#define LOWERED_8(v) ((v).s89abcdef89abcdef)
#define LOWERED_4(v) ((v).s4567456745674567)
#define LOWERED_2(v) ((v).s2323232323232323)
#define LOWERED_1(v) ((v).s1111111111111111)
#define LANES_I ((VI)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#define LANES_L ((VL)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#define TRUTH32(m) ((m) & 1)
#define TRUTH64(m) (CONVERT(int)(m) & 1)
#define ANY32(m) any(m)
#define ANY64(m) any(m)
#define MASK64(m) (CONVERT(long)(m) != 0)
#endif

typedef VECTOR(float) VF;
typedef VECTOR(int) VI;
typedef VECTOR(uint) VU;
typedef VECTOR(long) VL;
typedef VECTOR(ulong) VW;
typedef VECTOR(char) V_i8;
typedef VECTOR(uchar) V_u8;
typedef VECTOR(ushort) V_u16;

#define AS_I(x) JOIN(as_, VECTOR(int))(x)
#define AS_U(x) JOIN(as_, VECTOR(uint))(x)
#define AS_F(x) JOIN(as_, VECTOR(float))(x)
#define AS_L(x) JOIN(as_, VECTOR(long))(x)
#define AS_W(x) JOIN(as_, VECTOR(ulong))(x)
#define TO_F(x) CONVERT(float)(x)
#define TO_I(x) CONVERT(int)(x)
#define BITS_F(x) as_float((uint)(x))
#define BITS_D(x) as_double((ulong)(x))

#define FMA(a, b, c) fma(a, b, c)
#define EXACT_FMA(a, b, c) fma(a, b, c)
#if WIDTH == 1
#define MULTIPLY_HIGH(a, b) mul_hi(a, b)
#else
#define MULTIPLY_HIGH(a, b) multiply_high(a, b)
#endif
#define SQUARE_ROOT(x) sqrt(x)
#define ROUND(x) rint(x)
#define FLOOR(x) floor(x)
#define CEIL(x) ceil(x)
#define TRUNCATE(x) trunc(x)
#define LIBM_FMOD(a, b) fmod(a, b)

// Conversions between element types; values out of range wrap.
#define I_FROM_i8(x) CONVERT(int)(x)
#define I_FROM_u8(x) CONVERT(int)(x)
#define I_FROM_u16(x) CONVERT(int)(x)
#define i8_FROM_I(x) CONVERT(char)(x)
#define u8_FROM_I(x) CONVERT(uchar)(x)
#define u16_FROM_I(x) CONVERT(ushort)(x)
#define I_FROM_L(x) CONVERT(int)(x)
#define L_FROM_I(x) CONVERT(long)(x)
#define F_FROM_L(x) CONVERT(float)(x)
// float16 as bits. OpenCL C 1.2 converts float16 only in loads and stores, so a value is stored in a variable first.
// Compilers replace the load or store by one conversion instruction.
#define HAS_HALF 1
#if WIDTH == 16 && defined(__AVX512F__)
// For vload_half16 and vstore_half16, PoCL would emit two conversions of half the width, and permutations. The argument
// 8 (no exceptions) hides the conversion from the compiler, which would otherwise replace a comparison of converted
// values by a comparison of float16 values. AVX-512F has no instruction for such a comparison.
INLINE VF FLOAT_FROM_HALF(V_u16 bits) {
  return __builtin_ia32_vcvtph2ps512_mask(as_short16(bits), (VF)(0.0f), (ushort)0xffff, 8);
}
INLINE V_u16 HALF_FROM_FLOAT(VF x) {
  return as_ushort16(__builtin_ia32_vcvtps2ph512_mask(x, 0, (short16)(0), (ushort)0xffff));
}
#else
#if WIDTH == 1
#define VLOAD_HALF(p) vload_half(0, p)
#define VSTORE_HALF(v, p) vstore_half_rte(v, 0, p)
#else
#define VLOAD_HALF(p) JOIN(vload_half, WIDTH)(0, p)
#define VSTORE_HALF(v, p) JOIN(JOIN(vstore_half, WIDTH), _rte)(v, 0, p)
#endif
INLINE VF FLOAT_FROM_HALF(V_u16 bits) { return VLOAD_HALF((const half *)&bits); }
INLINE V_u16 HALF_FROM_FLOAT(VF x) {
  V_u16 bits;
  VSTORE_HALF(x, (half *)&bits);
  return bits;
}
#endif
// Truncating conversions; values out of range saturate.
#define I_SATURATED_F(x) JOIN(CONVERT(int), _sat)(x)
#define L_SATURATED_F(x) JOIN(CONVERT(long), _sat)(x)

#if HAS_FLOAT64
typedef VECTOR(double) VD;
#define D_FROM_F(x) CONVERT(double)(x)
#define D_FROM_I(x) CONVERT(double)(x)
#define D_FROM_L(x) CONVERT(double)(x)
#define F_FROM_D(x) CONVERT(float)(x)
#define I_SATURATED_D(x) JOIN(CONVERT(int), _sat)(x)
#define L_SATURATED_D(x) JOIN(CONVERT(long), _sat)(x)
#define LIBM1(name) \
  INLINE VD WIDE(name##_f64)(VD a) { return name(a); }
#if WIDTH == 1
#define LIBM2(name) \
  INLINE VD WIDE(name##_f64)(VD a, VD b) { return name(a, b); }
#else
// Computed lane by lane, because pow and fmod of PoCL 3.1 on vectors of double are wrong in all lanes if one lane is 0,
// an infinity or NaN. Lanes past the last element may have such values.
#define LIBM2(name) \
  INLINE VD WIDE(name##_f64)(VD a, VD b) { \
    double x[WIDTH], y[WIDTH]; \
    VSTORE(a, x); \
    VSTORE(b, y); \
    for (int i = 0; i < WIDTH; i += 1) x[i] = name(x[i], y[i]); \
    return VLOAD(x); \
  }
#endif
#else
#define LIBM1(name)
#define LIBM2(name)
#endif
