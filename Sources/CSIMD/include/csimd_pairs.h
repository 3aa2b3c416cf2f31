#ifndef CSIMD_PAIRS_H
#define CSIMD_PAIRS_H

#include "csimd.h"

/// Products of float32 factors whose elements are all bfloat16 values, by instructions that multiply pairs of them.
///
/// A word of a packed factor holds two consecutive elements along k, the first one in its upper half. If k is odd, the
/// lower half of the last word is zero. An element's products are added in the order of `csimd_table`, so the results
/// have the same bits, with one exception: subnormals are treated as zeros.
typedef struct {
  /// Like `pack_rows` of the table, with (k + 1) / 2 words per row.
  void (*pack_rows)(size_t m, size_t k, const void *a, ptrdiff_t row, ptrdiff_t column, void *slivers);
  /// Like `pack_columns` of the table, with (k + 1) / 2 words per column; `distance` counts words.
  void (*pack_columns)(
      size_t n, size_t k, const void *b, ptrdiff_t row, ptrdiff_t column, void *panels, size_t distance);
  /// Like `block_multiply` of the table; `k` counts words.
  void (*block_multiply)(
      size_t m, size_t n, size_t k, const void *slivers, const csimd_panels *panels, void *c, size_t c_row,
      int accumulates, const csimd_prefetch_block *ahead);
  /// Like `lines_multiply` of the table; line lengths and strides count words.
  void (*lines_multiply)(
      size_t m, size_t n, const csimd_lines *lines, const void *a, ptrdiff_t a_row, const void *b, size_t b_row,
      ptrdiff_t b_panel, void *c, ptrdiff_t c_row, int accumulates, const csimd_prefetch_block *ahead);
  /// `words[i] = (numbers[2i], numbers[2i + 1])` for i < count.
  void (*join)(size_t count, const float *numbers, float *words);
  /// `words[r·width + c] = (lines[2r·width + c], lines[(2r + 1)·width + c])` for r < rows and c < width; `width` must
  /// be a multiple of 16.
  void (*join_lines)(size_t rows, size_t width, const float *lines, float *words);
} csimd_pairs;

/// The pairwise products for a table; NULL if the machine has no such instructions.
const csimd_pairs *csimd_find_pairs(const csimd_table *table);

/// Whether a pairwise product is faster than two float32 products. Intel CPUs issue one pairwise instruction every
/// other cycle (0.49 times the multiply-adds of float32 in the same time, measured on Emerald Rapids); on AMD's Zen 4,
/// pairwise products are faster.
int csimd_has_fast_pairs(void);

#endif
