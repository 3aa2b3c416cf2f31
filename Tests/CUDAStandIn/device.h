// Defines the CUDA C++ names that kernels use, so that they compile for the CPU. nvrtc.cpp includes this file before
// the source of a program. Each CUDA thread is a fiber; fibers.h switches fibers at barriers, and at functions that all
// threads of a warp call together.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// This file defines the functions that prelude/cuda.h would otherwise implement with PTX instructions.
#define PTX_FUNCTIONS 1

#define __global__
#define __device__
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
// Each operating system thread runs one thread block at a time, so shared memory can be thread-local. The address
// sanitizer puts no red zones beside thread-local variables. With the sanitizer, shared memory is therefore static, and
// the driver runs one block at a time.
#if __has_feature(address_sanitizer)
#define __shared__ static
#else
#define __shared__ static thread_local
#endif

struct StandInIndex {
  unsigned int x, y, z;
};
// Copies of these structs are not trivial, because -fsanitize=alignment does not check trivial copies.
struct float4 {
  float x, y, z, w;
  float4(const float4 &other) : x(other.x), y(other.y), z(other.z), w(other.w) {}
} __attribute__((aligned(16)));
struct uint2 {
  unsigned x, y;
  uint2 &operator=(const uint2 &other) {
    x = other.x, y = other.y;
    return *this;
  }
} __attribute__((aligned(8)));
struct uint4 {
  unsigned x, y, z, w;
  uint4 &operator=(const uint4 &other) {
    x = other.x, y = other.y, z = other.z, w = other.w;
    return *this;
  }
} __attribute__((aligned(16)));

extern "C" {
/// The block index and the thread index of the running fiber.
extern thread_local StandInIndex stand_in_block, stand_in_thread;
/// Waits until all threads of the block have called the function.
void stand_in_barrier(void);
/// Publishes a value of at most 32 bytes, and waits until all threads of the warp have called the function.
void stand_in_exchange(const void *value, size_t bytes);
/// The value that thread `lane` of the warp passed to the last exchange.
const void *stand_in_given(unsigned int lane);
/// The dynamic shared memory of the launch.
void *stand_in_shared_memory(void);
/// Fails if the address is not a multiple of `bytes`.
void stand_in_check_alignment(const void *address, size_t bytes, const char *instruction);
}
#define LARGE_LOCAL_ARRAY(type, name, count) type *const name = (type *)stand_in_shared_memory()
#define blockIdx stand_in_block
#define threadIdx stand_in_thread
#define __syncthreads() stand_in_barrier()

template <typename To, typename From> static inline To stand_in_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

template <typename T> static inline T __shfl_down_sync(unsigned int, T value, int distance) {
  unsigned int lane = stand_in_thread.x % 32, source = lane + (unsigned int)distance;
  stand_in_exchange(&value, sizeof value);
  memcpy(&value, stand_in_given(source < 32 ? source : lane), sizeof value);
  return value;
}
template <typename T> static inline T __shfl_xor_sync(unsigned int, T value, int mask) {
  stand_in_exchange(&value, sizeof value);
  memcpy(&value, stand_in_given(stand_in_thread.x % 32 ^ (unsigned int)mask), sizeof value);
  return value;
}

// Conversions and arithmetic. Conversions to integers saturate, as in PTX. Here, all of them convert NaN to 0; in PTX,
// only the conversion from float to int does. Kernels replace NaN by 0 before the other conversions.
static inline int __float_as_int(float x) { return stand_in_bits<int>(x); }
static inline unsigned int __float_as_uint(float x) { return stand_in_bits<unsigned int>(x); }
static inline float __int_as_float(int x) { return stand_in_bits<float>(x); }
static inline float __uint_as_float(unsigned int x) { return stand_in_bits<float>(x); }
static inline double __longlong_as_double(long long x) { return stand_in_bits<double>(x); }
static inline float __int2float_rn(int x) { return (float)x; }
static inline float __ll2float_rn(long long x) { return (float)x; }
static inline double __ll2double_rn(long long x) { return (double)x; }
static inline float __double2float_rn(double x) { return (float)x; }
template <typename To, typename From> static inline To stand_in_saturated(From x, To lowest, To highest) {
  if (x != x) return 0;
  if (x <= (From)lowest) return lowest;
  if (x >= (From)highest) return highest;
  return (To)x;
}
static inline int __float2int_rz(float x) { return stand_in_saturated<int>(x, INT32_MIN, INT32_MAX); }
static inline int __double2int_rz(double x) { return stand_in_saturated<int>(x, INT32_MIN, INT32_MAX); }
static inline long long __float2ll_rz(float x) { return stand_in_saturated<long long>(x, INT64_MIN, INT64_MAX); }
static inline long long __double2ll_rz(double x) { return stand_in_saturated<long long>(x, INT64_MIN, INT64_MAX); }
static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
static inline float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }
static inline unsigned int __umulhi(unsigned int a, unsigned int b) {
  return (unsigned int)(((unsigned long long)a * b) >> 32);
}
static inline float ptx_float_from_half(unsigned short bits) { return (float)stand_in_bits<_Float16>(bits); }
static inline unsigned short ptx_half_from_float(float x) { return stand_in_bits<unsigned short>((_Float16)x); }

/// A kernel parameter of more than eight bytes (a tensor map), copied from its words.
template <typename T> static inline T stand_in_parameter(const uint64_t *words) {
  T result;
  memcpy(&result, words, sizeof result);
  return result;
}

#include "matrix.h"
#include "hopper.h"
