#ifndef CSIMD_PAIRS_H
#define CSIMD_PAIRS_H

#include "csimd.h"

/// Products of float32 factors whose numbers are all bfloat16 numbers, by instructions that multiply two numbers at a
/// time.
///
/// A word of a packed factor holds two numbers that follow each other along k, the first one in its upper half. If k is
/// odd, the lower half of the last word is zero. Subnormal numbers count as zeros.
typedef struct {
  /// Packed rows and columns have a multiple of this number of words along k; the last words are zeros.
  size_t word_multiple;
  /// As `pack_rows` of the table, in (k + 1) / 2 words a row, rounded up to `word_multiple`. Only `block_multiply` reads
  /// their layout.
  void (*pack_rows)(size_t m, size_t k, const void *a, ptrdiff_t row, ptrdiff_t column, void *slivers);
  /// As `pack_columns` of the table, in (k + 1) / 2 words a column, rounded up to `word_multiple`; `distance` counts words.
  void (*pack_columns)(
      size_t n, size_t k, const void *b, ptrdiff_t row, ptrdiff_t column, void *panels, size_t distance);
  /// As `block_multiply` of the table; `k` counts words, those that round up to `word_multiple` too.
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

/// The units that multiply pairs.
typedef enum __attribute__((enum_extensibility(closed), swift_name("PairUnit"))) {
  /// AVX512-BF16. An element's products are added in the order of `csimd_table`, so that results have the same bits, but
  /// for subnormal numbers.
  CSIMD_PAIRS_VECTOR __attribute__((swift_name("vector"))),
  /// AMX-BF16: see loops_amx.h for the order of an element's products.
  CSIMD_PAIRS_MATRIX __attribute__((swift_name("matrix"))),
} csimd_pair_unit;

/// The products by pairs on a unit; NULL where the machine has none, or the table is not one for it. The first call asks
/// the kernel for the tile registers of AMX.
const csimd_pairs *csimd_find_pairs(const csimd_table *table, csimd_pair_unit unit);

/// The products by pairs on the unit that is the fastest; NULL where products of single numbers are faster. Intel CPUs
/// issue a product of AVX512-BF16 every other cycle (0.49 times the multiply-adds of float32 in the same time, measured
/// on Emerald Rapids); on AMD's Zen 4 it is the faster one.
const csimd_pairs *csimd_find_fast_pairs(const csimd_table *table);

#endif
