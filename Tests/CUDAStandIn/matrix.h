// The functions of prelude/matrix.h for the CPU. Each thread of a warp holds the same elements in its registers as on a
// GPU. device.h includes this file.
#pragma once

extern "C" {
/// Starts an asynchronous write of 16 bytes to `to`: the first `bytes` bytes of `from`, then zeros. The 16 bytes are
/// written when the thread waits for the copy, or at once (see copies.h).
void stand_in_copy(void *to, const void *from, int bytes);
void stand_in_commit_copies(void);
/// Completes all closed groups of copies but the last `pending`.
void stand_in_wait_for_copies(size_t pending);
}

static inline void COPY_ASYNC(void *to, const void *from, int bytes) { stand_in_copy(to, from, bytes); }
static inline void COPY_ASYNC_COMMIT(void) { stand_in_commit_copies(); }
#define COPY_ASYNC_WAIT(count) stand_in_wait_for_copies(count)

/// Row `row` of 8x8 matrix `matrix`, after the threads of the warp have exchanged the rows of four matrices.
static inline const uint16_t *stand_in_row(int matrix, int row) {
  return (const uint16_t *)stand_in_given((unsigned int)(8 * matrix + row));
}

static inline void stand_in_exchange_row(const void *row) {
  if ((uintptr_t)row % 16 != 0) stand_in_check_alignment(row, 16, "LOAD_MATRIX");
  stand_in_exchange(row, 16);
}

static inline void LOAD_MATRIX(uint32_t *r, const void *row) {
  stand_in_exchange_row(row);
  int lane = (int)stand_in_thread.x % 32;
  for (int i = 0; i < 4; i += 1) memcpy(&r[i], stand_in_row(i, lane / 4) + lane % 4 * 2, 4);
}

static inline void LOAD_MATRIX_TRANSPOSED(uint32_t *r, const void *row) {
  stand_in_exchange_row(row);
  int lane = (int)stand_in_thread.x % 32;
  for (int i = 0; i < 4; i += 1) {
    uint32_t low = stand_in_row(i, lane % 4 * 2)[lane / 4], high = stand_in_row(i, lane % 4 * 2 + 1)[lane / 4];
    r[i] = low | high << 16;
  }
}

static inline float stand_in_bfloat16(uint16_t bits) { return stand_in_bits<float>((uint32_t)bits << 16); }
static inline float stand_in_float16(uint16_t bits) { return (float)stand_in_bits<_Float16>(bits); }

/// Rounds a float32 number to bfloat16, ties to even. NaN becomes 0x7FFF, as in PTX.
static inline uint32_t stand_in_round_bfloat16(float x) {
  uint32_t bits = stand_in_bits<uint32_t>(x);
  return x == x ? (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 : 0x7FFF;
}
static inline uint32_t PACK_bfloat16(float low, float high) {
  return stand_in_round_bfloat16(low) | stand_in_round_bfloat16(high) << 16;
}
static inline uint32_t PACK_float16(float low, float high) {
  return (uint32_t)ptx_half_from_float(low) | (uint32_t)ptx_half_from_float(high) << 16;
}

/// The registers with a thread's elements of A and B.
struct StandInFactors {
  uint32_t a[4], b[2];
};

/// Adds the product of the matrices A (16 rows) and B (8 columns) to D. `d` has the thread's elements of D. A register
/// of A or B has one, two or four elements. `multiply` adds the products of the elements of two registers to a sum.
template <typename Sum, typename T, typename Multiply>
__attribute__((noinline)) static void stand_in_multiply(
    T *d, const uint32_t *a, uint32_t b0, uint32_t b1, Multiply multiply) {
  StandInFactors own = {{a[0], a[1], a[2], a[3]}, {b0, b1}};
  stand_in_exchange(&own, sizeof own);
  unsigned int lane = stand_in_thread.x % 32;
  for (unsigned int i = 0; i < 4; i += 1) {
    unsigned int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    Sum sum = (Sum)d[i];
    for (unsigned int part = 0; part < 2; part += 1) {
      for (unsigned int source = 0; source < 4; source += 1) {
        auto left = (const StandInFactors *)stand_in_given(row % 8 * 4 + source);
        auto right = (const StandInFactors *)stand_in_given(column * 4 + source);
        sum = multiply(sum, left->a[row / 8 + part * 2], right->b[part]);
      }
    }
    d[i] = (T)sum;
  }
}

/// For 16-bit numbers. The products are exact. The sum is in float64 and is rounded to float32 once; the order and the
/// rounding of the sums on a GPU are not documented.
template <float (*number)(uint16_t)>
static inline void stand_in_multiply_halves(float *d, const uint32_t *a, uint32_t b0, uint32_t b1) {
  stand_in_multiply<double>(d, a, b0, b1, [](double sum, uint32_t x, uint32_t y) {
    for (int k = 0; k < 32; k += 16) sum += (double)number((uint16_t)(x >> k)) * (double)number((uint16_t)(y >> k));
    return sum;
  });
}

static inline void MMA_bfloat16(float *d, const uint32_t *a, uint32_t b0, uint32_t b1) {
  stand_in_multiply_halves<stand_in_bfloat16>(d, a, b0, b1);
}
static inline void MMA_float16(float *d, const uint32_t *a, uint32_t b0, uint32_t b1) {
  stand_in_multiply_halves<stand_in_float16>(d, a, b0, b1);
}
/// Ignores the lowest 13 bits of both operands. The products are exact. The sum is in float64 and is rounded to float32
/// once.
static inline void MMA_tf32(float *d, const uint32_t *a, uint32_t b0, uint32_t b1) {
  stand_in_multiply<double>(d, a, b0, b1, [](double sum, uint32_t x, uint32_t y) {
    return sum + (double)stand_in_bits<float>(x & 0xFFFFE000) * (double)stand_in_bits<float>(y & 0xFFFFE000);
  });
}
/// Rounds to TF32, ties away from 0. PTX does not define the lowest 13 bits of the result. Here they are ones, so that
/// a kernel that depends on them gives wrong results.
static inline uint32_t ptx_tf32(float x) {
  uint32_t bits = stand_in_bits<uint32_t>(x);
  return (x - x == 0 ? bits + 0x1000 : bits) | 0x1FFF;
}
static inline void MMA_int8(int *d, const uint32_t *a, uint32_t b0, uint32_t b1) {
  stand_in_multiply<uint32_t>(d, a, b0, b1, [](uint32_t sum, uint32_t x, uint32_t y) {
    for (int k = 0; k < 32; k += 8) sum += (uint32_t)((int)(int8_t)(x >> k) * (int)(int8_t)(y >> k));
    return sum;
  });
}
