// The functions of prelude/hopper.h for the CPU. device.h includes this file. By default, TMA loads land when no thread
// can continue without them; TMA stores and wgmma instructions land when a thread waits for them. copies.h has other
// modes.
//
// The stand-in does not detect a missing ASYNC_FENCE, because the CPU has only one path to memory. Nor does it detect a
// missing WGMMA_FENCE or MBARRIER_FENCE.
#pragma once

extern "C" {
void stand_in_barrier_initialize(void *barrier, int count);
/// Arrives at an mbarrier, whose running phase then also waits for `bytes` bytes of TMA loads.
void stand_in_barrier_arrive(void *barrier, int bytes);
void stand_in_barrier_wait(void *barrier, int parity);
void stand_in_named_barrier(int id, int threads, int waits);
int stand_in_elect(void);
void stand_in_load_box(void *to, const void *map, int rank, int x, int y, int z, void *barrier);
void stand_in_store_box(const void *map, const void *from, int rank, int x, int y, int z);
void stand_in_commit_stores(void);
void stand_in_wait_for_stores(size_t pending);
unsigned int stand_in_shared_address(const void *p);
/// Starts the thread's share of a wgmma instruction. `registers` has the thread's elements of A; if it is null, `a` is
/// the descriptor of A.
void stand_in_product(
    int type, float *d, int columns, const uint32_t *registers, uint64_t a, uint64_t b, int accumulates, int a_major,
    int b_major);
void stand_in_commit_products(void);
void stand_in_wait_for_products(size_t pending);
}

#define __grid_constant__

static inline void MBARRIER_INIT(void *bar, int count) { stand_in_barrier_initialize(bar, count); }
static inline void MBARRIER_FENCE(void) {}
static inline void MBARRIER_ARRIVE(void *bar) { stand_in_barrier_arrive(bar, 0); }
static inline void MBARRIER_EXPECT(void *bar, int bytes) { stand_in_barrier_arrive(bar, bytes); }
static inline void MBARRIER_WAIT(void *bar, int parity) { stand_in_barrier_wait(bar, parity); }
static inline void NAMED_BARRIER(int id, int count) { stand_in_named_barrier(id, count, 1); }
static inline void NAMED_BARRIER_ARRIVE(int id, int count) { stand_in_named_barrier(id, count, 0); }
static inline int ELECT(void) { return stand_in_elect(); }
#define STAND_IN_REGISTERS(count) \
  static_assert((count) >= 24 && (count) <= 256 && (count) % 8 == 0, "setmaxnreg takes 24, 32, … 256 registers")
#define REGISTERS_INCREASE(count) STAND_IN_REGISTERS(count)
#define REGISTERS_DECREASE(count) STAND_IN_REGISTERS(count)
static inline void ASYNC_FENCE(void) {}

static inline void TMA_LOAD_2D(void *to, const void *map, int x, int y, void *bar) {
  stand_in_load_box(to, map, 2, x, y, 0, bar);
}
static inline void TMA_LOAD_3D(void *to, const void *map, int x, int y, int z, void *bar) {
  stand_in_load_box(to, map, 3, x, y, z, bar);
}
static inline void TMA_STORE_2D(const void *map, const void *from, int x, int y) {
  stand_in_store_box(map, from, 2, x, y, 0);
}
static inline void TMA_STORE_3D(const void *map, const void *from, int x, int y, int z) {
  stand_in_store_box(map, from, 3, x, y, z);
}
static inline void TMA_COMMIT(void) { stand_in_commit_stores(); }
#define TMA_WAIT(count) stand_in_wait_for_stores(count)
#define TMA_WAIT_READ(count) stand_in_wait_for_stores(count)

static inline uint64_t WGMMA_DESCRIPTOR(const void *p, int leading, int stride, int swizzle) {
  return (uint64_t)(stand_in_shared_address(p) >> 4) | (uint64_t)(leading >> 4) << 16 | (uint64_t)(stride >> 4) << 32 |
      (uint64_t)swizzle << 62;
}
/// Adds within the 18 address bits of the descriptor. In a host address these bits may wrap around, unlike in an
/// address in the shared memory of a GPU.
static inline uint64_t WGMMA_ADVANCE(uint64_t descriptor, int bytes) {
  return (descriptor & ~0x3fffull) | ((descriptor + (uint64_t)(bytes >> 4)) & 0x3fff);
}
static inline void WGMMA_FENCE(void) {}
static inline void WGMMA_COMMIT(void) { stand_in_commit_products(); }
#define WGMMA_WAIT(count) stand_in_wait_for_products(count)
template <int count> static inline void WGMMA_KEEP(float (&)[count]) {}

#define STAND_IN_WGMMA(name, type, n)                                                                            \
  template <int left = 0, int right = 0>                                                                         \
  static inline void WGMMA_##name##_m64n##n(float *d, uint64_t a, uint64_t b, int accumulate) {                  \
    stand_in_product(type, d, n, nullptr, a, b, accumulate, left, right);                                        \
  }                                                                                                              \
  template <int right = 0>                                                                                       \
  static inline void WGMMA_REGISTERS_##name##_m64n##n(float *d, const uint32_t *a, uint64_t b, int accumulate) { \
    stand_in_product(type, d, n, a, 0, b, accumulate, 0, right);                                                 \
  }
#define STAND_IN_WGMMA_TF32(n)                                                                               \
  static inline void WGMMA_tf32_m64n##n(float *d, uint64_t a, uint64_t b, int accumulate) {                  \
    stand_in_product(2, d, n, nullptr, a, b, accumulate, 0, 0);                                              \
  }                                                                                                          \
  static inline void WGMMA_REGISTERS_tf32_m64n##n(float *d, const uint32_t *a, uint64_t b, int accumulate) { \
    stand_in_product(2, d, n, a, 0, b, accumulate, 0, 0);                                                    \
  }
#define STAND_IN_WGMMA_ALL(n)    \
  STAND_IN_WGMMA(bfloat16, 0, n) \
  STAND_IN_WGMMA(float16, 1, n)  \
  STAND_IN_WGMMA_TF32(n)
STAND_IN_WGMMA_ALL(64)
STAND_IN_WGMMA_ALL(128)
STAND_IN_WGMMA_ALL(256)
