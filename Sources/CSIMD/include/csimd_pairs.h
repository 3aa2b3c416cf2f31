#ifndef CSIMD_PAIRS_H
#define CSIMD_PAIRS_H

#include "csimd.h"

/// Products of float32 factors whose numbers are all bfloat16 numbers, by instructions that multiply two numbers at a
/// time.
///
/// A word of a packed factor holds two numbers that follow each other along k, the first one in its upper half. If k is
/// odd, the lower half of the last word is zero. An element's products are added in the order of `csimd_table`, so the
/// results have the same bits, with one exception: subnormal numbers count as zeros.
typedef struct {
  /// As `pack_rows` of the table, in (k + 1) / 2 words a row.
  void (*pack_rows)(size_t m, size_t k, const void *a, ptrdiff_t row, ptrdiff_t column, void *slivers);
  /// As `pack_columns` of the table, in (k + 1) / 2 words a column; `distance` counts words.
  void (*pack_columns)(
      size_t n, size_t k, const void *b, ptrdiff_t row, ptrdiff_t column, void *panels, size_t distance);
  /// As `block_multiply` of the table; `k` counts words.
  void (*block_multiply)(
      size_t m, size_t n, size_t k, const void *slivers, const csimd_panels *panels, void *c, size_t c_row,
      int accumulates, const csimd_prefetch_block *ahead);
  /// As `lines_multiply` of the table; all numbers of the first factor, and distances in both, count words.
  void (*lines_multiply)(
      size_t m, size_t n, const csimd_lines *lines, const void *a, ptrdiff_t a_row, const void *b, size_t b_row,
      ptrdiff_t b_panel, void *c, ptrdiff_t c_row, int accumulates, const csimd_prefetch_block *ahead);
  /// `words[i] = (numbers[2i], numbers[2i + 1])` for i < count.
  void (*join)(size_t count, const float *numbers, float *words);
  /// `words[r·width + c] = (lines[2r·width + c], lines[(2r + 1)·width + c])` for r < rows and c < width, a multiple of 16.
  void (*join_lines)(size_t rows, size_t width, const float *lines, float *words);
} csimd_pairs;

/// The products by pairs of the machine that a table is for; NULL where it has no such instructions.
const csimd_pairs *csimd_find_pairs(const csimd_table *table);

/// Whether a product by pairs takes less time than two products of single numbers. Intel CPUs issue one every other
/// cycle (0.49 times the multiply-adds of float32 in the same time, measured on Emerald Rapids); on AMD's Zen 4 products by pairs are
/// the faster ones.
int csimd_has_fast_pairs(void);

#endif
