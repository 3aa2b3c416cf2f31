// The dialect for CUDA C++ under NVRTC. WIDTH, the number of lanes of a register, is 1; HAS_FLOAT64 is 1.
// prelude/math.h lists the arithmetic names that a dialect defines. The names for memory and work-items are the same as
// in prelude/opencl.h and prelude/one_lane.h.
#define KERNEL extern "C" __global__
#define GLOBAL
#define INLINE static __device__ __forceinline__
#define ALWAYS_INLINE INLINE
#define WIDE(name) name
// Declares the only group size with which a kernel is launched.
#define GROUP_SIZE(items) __launch_bounds__(items)
// As GROUP_SIZE, for kernels that need many registers: one group may use all registers of a multiprocessor. With
// GROUP_SIZE, the compiler limits the registers so that several groups fit on a multiprocessor, and spills values to
// memory.
#define REGISTER_GROUP_SIZE(items) __launch_bounds__(items, 1)
// The array is aligned, because the functions of prelude/matrix.h access local memory in chunks of 16 bytes.
#define LOCAL_ARRAY(type, name, count) __shared__ __align__(16) type name[count]
// Declares a local array of more than 48 KiB in dynamic shared memory, which the launch provides. The array begins at a
// multiple of 1024 bytes. A kernel with such an array has no other local array.
#if !defined(PTX_FUNCTIONS)
#define LARGE_LOCAL_ARRAY(type, name, count) extern __shared__ __align__(1024) type name[]
#endif
#define CONSTANT_TABLE static __device__ const
#define BARRIER() __syncthreads()
#define GLOBAL_BARRIER() __syncthreads()
#define GROUP_ID() blockIdx.x
#define LOCAL_ID() ((int)threadIdx.x)
#define PREFETCH(pointer)
// Loads four elements from an address that is a multiple of 16 bytes.
#define LOAD_QUAD(p) (*(const float4 *)(p))
// CHUNK declares neighboring elements that a work-item loads or stores with one instruction. LOAD_CHUNK and STORE_CHUNK
// copy them as one value of the type `words`: u32, uint2 or uint4. The address is a multiple of the size of this type.
#define CHUNK(type, name, count) __align__(16) type name[count]
#define LOAD_CHUNK(words, name, p) (*(words *)(name) = *(const words *)(p))
#define STORE_CHUNK(words, name, p) (*(words *)(p) = *(const words *)(name))
// The CUDA stand-in of the tests defines UNROLL as nothing, because it compiles loops faster than unrolled code.
#if !defined(UNROLL)
#define UNROLL _Pragma("unroll")
#endif
#define NO_UNROLL _Pragma("unroll 1")

typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

typedef float VF;
typedef int VI;
typedef u32 VU;
typedef i64 VL;
typedef u64 VW;
typedef i8 V_i8;
typedef u8 V_u8;
typedef u16 V_u16;

INLINE int AS_I(float x) { return __float_as_int(x); }
INLINE int AS_I(int x) { return x; }
INLINE int AS_I(u32 x) { return (int)x; }
INLINE u32 AS_U(float x) { return __float_as_uint(x); }
INLINE u32 AS_U(int x) { return (u32)x; }
INLINE u32 AS_U(u32 x) { return x; }
INLINE float AS_F(float x) { return x; }
INLINE float AS_F(int x) { return __int_as_float(x); }
INLINE float AS_F(u32 x) { return __uint_as_float(x); }
#define AS_L(x) ((i64)(x))
#define AS_W(x) ((u64)(x))
#define TO_F(x) __int2float_rn(x)
#define TO_I(x) __float2int_rz(x)
#define BITS_F(x) __uint_as_float((u32)(x))
#define BITS_D(x) __longlong_as_double((i64)(x))

INLINE float FMA(float a, float b, float c) { return __fmaf_rn(a, b, c); }
INLINE double FMA(double a, double b, double c) { return __fma_rn(a, b, c); }
#define EXACT_FMA(a, b, c) __fmaf_rn(a, b, c)
#define MULTIPLY_HIGH(a, b) __umulhi(a, b)
#define SQUARE_ROOT(x) __fsqrt_rn(x)
#define ROUND(x) rintf(x)
#define FLOOR(x) floorf(x)
#define CEIL(x) ceilf(x)
#define TRUNCATE(x) truncf(x)
#define LIBM_FMOD(a, b) fmodf(a, b)

// Conversions between element types; values out of range wrap.
#define I_FROM_i8(x) ((int)(x))
#define I_FROM_u8(x) ((int)(x))
#define I_FROM_u16(x) ((int)(x))
#define i8_FROM_I(x) ((i8)(x))
#define u8_FROM_I(x) ((u8)(x))
#define u16_FROM_I(x) ((u16)(x))
#define I_FROM_L(x) ((int)(x))
#define L_FROM_I(x) ((i64)(x))
#define F_FROM_L(x) __ll2float_rn(x)
#define HAS_HALF 1
// Functions that use PTX instructions. A compiler for processors without PTX, such as the CUDA stand-in of the tests,
// defines PTX_FUNCTIONS and its own versions of these functions.
#if !defined(PTX_FUNCTIONS)
INLINE float ptx_float_from_half(u16 bits) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(bits));
  return result;
}
INLINE u16 ptx_half_from_float(float x) {
  u16 result;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result) : "f"(x));
  return result;
}
#endif
#define FLOAT_FROM_HALF(bits) ptx_float_from_half(bits)
#define HALF_FROM_FLOAT(x) ptx_half_from_float(x)
// Truncating conversions; the hardware saturates values out of range.
#define I_SATURATED_F(x) __float2int_rz(x)
#define L_SATURATED_F(x) __float2ll_rz(x)

#if HAS_FLOAT64
typedef double VD;
#define D_FROM_F(x) ((double)(x))
#define D_FROM_I(x) ((double)(x))
#define D_FROM_L(x) __ll2double_rn(x)
#define F_FROM_D(x) __double2float_rn(x)
#define I_SATURATED_D(x) __double2int_rz(x)
#define L_SATURATED_D(x) __double2ll_rz(x)
#define LIBM1(name) \
  INLINE VD WIDE(name##_f64)(VD a) { return name(a); }
#define LIBM2(name) \
  INLINE VD WIDE(name##_f64)(VD a, VD b) { return name(a, b); }
#else
#define LIBM1(name)
#define LIBM2(name)
#endif
