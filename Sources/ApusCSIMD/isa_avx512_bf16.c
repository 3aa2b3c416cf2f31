#include "csimd_pairs.h"
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>
#define CSIMD_HAS_FMA 1
#define CSIMD_HAS_F16C 1
#define CSIMD_HAS_AVX512 1
#define CSIMD_REGISTERS 32
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,avx2,fma,f16c"))), apply_to = function)
#include "dialect.h"
#include "access.h"
#include "transpose_block.h"

#define LANE_F32 1
#define LANE LANE_F32
#define FN(name) name##_pairs
#define V VF
#define SCALAR float
// Each lane of `a` and `b` is a 32-bit word that holds two bfloat16 numbers. The instruction adds the product of the
// two upper halves to the lane of `c` and rounds the sum, then adds the product of the two lower halves.
#define MULTIPLY_ADD(a, b, c) ((VF)_mm512_dpbf16_ps((__m512)(c), (__m512bh)(a), (__m512bh)(b)))
#include "loops_tiles.h"

// Packs pairs of bfloat16 values into words, `first` into the upper halves. Both vectors store the values as float32,
// whose lower 16 bits are zeros.
INLINE VF joined(VF first, VF second) { return AS_F(AS_U(first) | AS_U(second) >> 16); }

// Joins 32 numbers into 16 words: each number at an even index with the number after it.
INLINE VF joined_numbers(const float *numbers) {
  VF a = LOAD(VF, numbers), b = LOAD(VF, numbers + LANES);
  VF first = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  VF second = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  return joined(first, second);
}

static void join(size_t count, const float *numbers, float *words) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) STORE(VF, words + i, joined_numbers(numbers + 2 * i));
  if (i == count) return;
  float rest[2 * LANES] = {0}, last[LANES];
  memcpy(rest, numbers + 2 * i, 2 * (count - i) * sizeof(float));
  join(LANES, rest, last);
  memcpy(words + i, last, (count - i) * sizeof(float));
}

static void join_lines(size_t rows, size_t width, const float *lines, float *words) {
  for (size_t r = 0; r < rows; r += 1, lines += 2 * width, words += width)
    for (size_t c = 0; c < width; c += LANES)
      STORE(VF, words + c, joined(LOAD(VF, lines + c), LOAD(VF, lines + width + c)));
}

// The number of elements along k, the inner dimension of the product, that are transposed at a time into a sliver
// (packed rows of `a`) or a panel (packed columns of `b`).
#define LINES_AT_ONCE 64

// `target[i·step + r]` becomes the word of `source[r·stride + 2i]` and `source[r·stride + 2i + 1]`, for r < rows (at
// most 16) and 2i < k. For odd k, the last words have 0 as their second number. Each store writes 16 words, up to 15
// past the end of a row of the target; the next row is stored later, so its words are correct.
static void transpose_pairs(size_t rows, size_t k, const float *source, ptrdiff_t stride, float *target, size_t step) {
  _Alignas(64) float lines[LINES_AT_ONCE * LANES];
  for (size_t i = 0; i < k; i += LINES_AT_ONCE) {
    size_t count = k - i < LINES_AT_ONCE ? k - i : LINES_AT_ONCE, done = 0;
    for (; done + LANES <= count; done += LANES)
      transpose_block(
          rows, source + i + done, stride, prefetch_address(rows, source, stride, i + done, k), lines + done * LANES,
          LANES);
    memset(lines + done * LANES, 0, (count - done + (count & 1)) * LANES * sizeof(float));
    for (; done < count; done += 1)
      for (size_t r = 0; r < rows; r += 1)
        lines[done * LANES + r] = source[(ptrdiff_t)r * stride + (ptrdiff_t)(i + done)];
    for (size_t j = 0; j < count; j += 2)
      STORE(VF, target + (i + j) / 2 * step, joined(LOAD(VF, lines + j * LANES), LOAD(VF, lines + (j + 1) * LANES)));
  }
}

// Joins the elements of two lines (`count` contiguous elements at one index of k) into words. If `second` is NULL, the
// second line is zeros.
INLINE VF joined_rows(const float *first, const float *second, size_t count) {
  VF a = (VF)(0), b = (VF)(0);
  if (count == LANES) {
    a = LOAD(VF, first);
    if (second) b = LOAD(VF, second);
  } else {
    COPY_SOME(VF)(&a, first, count);
    if (second) COPY_SOME(VF)(&b, second, count);
  }
  return joined(a, b);
}

static void FN(pack_rows)(size_t m, size_t k, const void *a, ptrdiff_t row, ptrdiff_t column, void *slivers) {
  size_t words = CEIL_DIVIDE(k, 2);
  if (column == 1) {
    FOR_SLIVERS(m, {
      transpose_pairs(rows, k, (const float *)a + (ptrdiff_t)first * row, row, (float *)slivers + first * words, rows);
    })
      return;
  }
  const float *line = a;
  for (size_t i = 0; i < words; i += 1, line += 2 * column) {
    const float *next = 2 * i + 1 < k ? line + column : NULL;
    for (size_t r = 0; r < m; r += LANES) {
      __builtin_prefetch(line + PREFETCH_LINES * column + r);
      __builtin_prefetch(line + (PREFETCH_LINES + 1) * column + r);
    }
    FOR_SLIVERS(m, {
      float *to = (float *)slivers + first * words + i * rows;
      VF both = joined_rows(line + first, next ? next + first : NULL, first + LANES <= m ? LANES : rows);
      // A store of 16 words also overwrites words of later lines of the sliver. These lines are written afterwards.
      if ((words - i) * rows >= LANES) STORE(VF, to, both);
      else COPY_SOME(VF)(to, &both, rows);
    })
  }
}

static void FN(pack_columns)(
    size_t n, size_t k, const void *b, ptrdiff_t row, ptrdiff_t column, void *panels, size_t distance) {
  size_t words = CEIL_DIVIDE(k, 2);
  for (size_t at = 0; at < n; at += PANEL_WIDTH) {
    size_t columns = FN(panel_columns)(n, at);
    size_t width = PANEL_ROW(columns);
    const float *from = (const float *)b + (ptrdiff_t)at * column;
    float *to = (float *)panels + at / PANEL_WIDTH * distance;
    if (column == 1) {
      for (size_t i = 0; i < words; i += 1, from += 2 * row, to += width)
        for (size_t c = 0; c < width; c += LANES) {
          size_t count = columns - c < LANES ? columns - c : LANES;
          STORE(VF, to + c, joined_rows(from + c, 2 * i + 1 < k ? from + row + c : NULL, count));
        }
      continue;
    }
    for (size_t c = 0; c < width; c += LANES) {
      size_t count = columns - c < LANES ? columns - c : LANES;
      transpose_pairs(count, k, from + (ptrdiff_t)c * column, column, to + c, width);
    }
  }
}

const csimd_pairs csimd_avx512_bf16 = {
    .word_multiple = 1,
    .pack_rows = FN(pack_rows),
    .pack_columns = FN(pack_columns),
    .block_multiply = FN(block_multiply),
    .lines_multiply = FN(lines_multiply),
    .join = join,
    .join_lines = join_lines,
};
#pragma clang attribute pop

#pragma clang attribute push(                                                                                 \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,avx2,fma,f16c,amx-tile,amx-bf16"))), \
    apply_to = function)
#include "loops_amx.h"
#pragma clang attribute pop
#endif
