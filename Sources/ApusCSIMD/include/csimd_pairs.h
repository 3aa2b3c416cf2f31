#ifndef CSIMD_PAIRS_H
#define CSIMD_PAIRS_H

#include "csimd.h"

/// Matrix products of factors that are stored as float32, but whose elements are all bfloat16 values. The instructions
/// multiply pairs of bfloat16 elements.
///
/// A word of a packed factor contains two consecutive elements along the inner dimension k, the first element in the
/// upper half of the word. If k is odd, the lower half of the last word is zero. Subnormals are treated as zeros.
typedef struct {
  /// The number of words of a packed row or column is a multiple of this number. Padding words are zeros.
  size_t word_multiple;
  /// Like `pack_rows` of `csimd_table`, with (k + 1) / 2 words per row, rounded up to a multiple of `word_multiple`.
  /// Only `block_multiply` reads this layout.
  void (*pack_rows)(size_t m, size_t k, const void *a, ptrdiff_t row, ptrdiff_t column, void *slivers);
  /// Like `pack_columns` of `csimd_table`, with (k + 1) / 2 words per column, rounded up to a multiple of
  /// `word_multiple`. `distance` is in words.
  void (*pack_columns)(
      size_t n, size_t k, const void *b, ptrdiff_t row, ptrdiff_t column, void *panels, size_t distance);
  /// Like `block_multiply` of `csimd_table`; `k` is the number of words, a multiple of `word_multiple`.
  void (*block_multiply)(
      size_t m, size_t n, size_t k, const void *slivers, const csimd_panels *panels, void *c, size_t c_row,
      int accumulates, const csimd_prefetch_block *ahead);
  /// Like `lines_multiply` of `csimd_table`; the lengths and strides of lines (see `csimd_lines`) are in words.
  void (*lines_multiply)(
      size_t m, size_t n, const csimd_lines *lines, const void *a, ptrdiff_t a_row, const void *b, size_t b_row,
      ptrdiff_t b_panel, void *c, ptrdiff_t c_row, int accumulates, const csimd_prefetch_block *ahead);
  /// `words[i] = (numbers[2i], numbers[2i + 1])` for i < count.
  void (*join)(size_t count, const float *numbers, float *words);
  /// `words[r·width + c] = (lines[2r·width + c], lines[(2r + 1)·width + c])` for r < rows and c < width; `width` must
  /// be a multiple of 16.
  void (*join_lines)(size_t rows, size_t width, const float *lines, float *words);
} csimd_pairs;

/// The processor units that multiply pairs of bfloat16 elements.
typedef enum __attribute__((enum_extensibility(closed), swift_name("PairUnit"))) {
  /// AVX512-BF16. For each result, the products are added in the same order as by the functions of `csimd_table`, so
  /// the results have the same bits, except for subnormals.
  CSIMD_PAIRS_VECTOR __attribute__((swift_name("vector"))),
  /// AMX-BF16; loops_amx.h defines the order of accumulation.
  CSIMD_PAIRS_MATRIX __attribute__((swift_name("matrix"))),
} csimd_pair_unit;

/// Returns the functions of a unit; NULL if the machine does not have the unit, or the table is not the one for
/// AVX-512. Linux must permit a process to use the tile registers of AMX; the first call requests the permission.
const csimd_pairs *csimd_find_pairs(const csimd_table *table, csimd_pair_unit unit);

/// Returns the functions of the matrix unit or, if there is none, of the vector unit; NULL if there is neither. The
/// vector unit of Intel CPUs does not count, because these CPUs issue one AVX512-BF16 instruction only every other
/// cycle. On Emerald Rapids, the vector unit reached 0.49 times the multiply-add rate of the float32 instructions.
const csimd_pairs *csimd_find_fast_pairs(const csimd_table *table);

#endif
