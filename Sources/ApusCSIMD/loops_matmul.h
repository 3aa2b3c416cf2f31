// Matrix products. Included once for each floating-point type.

#undef MULTIPLY_ADD
#if CSIMD_HAS_FMA
#define MULTIPLY_ADD(a, b, c) __builtin_elementwise_fma(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

#include "loops_tiles.h"

// A product whose right factor has at most LANES columns, one vector. It reads the rows of the left factor in place,
// because each element is used in only one multiply-add, and packing the element would be as much work.
static __attribute__((noinline)) void FN(narrow_rows)(
    size_t rows, size_t k, const SCALAR *a, size_t a_row, size_t a_step, const SCALAR *b, size_t b_row, SCALAR *c,
    size_t c_row, size_t columns, int accumulates, const SCALAR *ahead) {
  csimd_lines line = {{1, 1}, {0, 0}, {0, 0}, k, a_step, 0};
  FN(tile_of)(
      rows, 1, line, a, a_row, b, b_row, c, c_row, columns, accumulates, (const char *)ahead, a_step * sizeof(SCALAR));
}

static void FN(narrow_multiply)(
    size_t m, size_t n, size_t k, const void *a, size_t a_row, size_t a_step, const csimd_panels *panels, void *c,
    size_t c_row, int accumulates, int is_followed) {
  size_t b_row = panels->row != 0 ? panels->row : LANES;
  const SCALAR *lines = a, *b = (const SCALAR *)panels->data + panels->first * b_row;
  if (a_step == 1) {
    // At most 8 rows at a time, because rows at power-of-two strides map to the same cache sets.
    size_t height = TILE_ROWS < 8 ? TILE_ROWS : 8;
    for (size_t row = 0; row < m; row += height)
      FN(narrow_rows)(
          m - row < height ? m - row : height, k, lines + row * a_row, a_row, 1, b, b_row, (SCALAR *)c + row * c_row,
          c_row, n, accumulates, NULL);
    return;
  }
  FOR_SLIVERS(m, {
    // A line is a column of `a`; lines are far apart. Prefetch the sliver (the rows of a tile) after the next sliver.
    // If there is none, prefetch a sliver of the next k lines, if there are such lines.
    size_t next = first + 2 * TILE_ROWS;
    const SCALAR *ahead = next < m ? lines + next : is_followed ? lines + k * a_step + (next - m) : NULL;
    FN(narrow_rows)(
        rows, k, lines + first, 1, a_step, b, b_row, (SCALAR *)c + first * c_row, c_row, n, accumulates, ahead);
  })
}

// Transposes rows: `target[i·step + r] = source[r·stride + i]` for r < rows and i < k. Each row of the target is stored
// in whole vectors, so that up to 15 elements past it change, too; the store of the next row overwrites them.
INLINE void FN(transpose_some_lines)(
    size_t rows, size_t k, const SCALAR *source, ptrdiff_t stride, SCALAR *target, size_t step) {
  size_t i = 0;
#if LANE == LANE_F32 && CSIMD_REGISTERS >= 8
  for (; i + LANES <= k; i += LANES) {
    const float *ahead = prefetch_address(rows, source, stride, i, k);
  // A whole cache line is read, and prefetched once.
  TILE_LOOP for (size_t part = 0; part < LANES; part += TRANSPOSE_WIDTH)
      transpose_block(
          rows, source + i + part, stride, part == 0 ? ahead : NULL, target + (i + part) * step, step);
  }
  for (; i + TRANSPOSE_WIDTH <= k; i += TRANSPOSE_WIDTH)
    transpose_block(
        rows, source + i, stride, prefetch_address(rows, source, stride, i, k), target + i * step, step);
#endif
  for (; i < k; i += 1)
    for (size_t r = 0; r < rows; r += 1) target[i * step + r] = source[(ptrdiff_t)r * stride + (ptrdiff_t)i];
}

static void FN(transpose_lines)(
    size_t rows, size_t k, const SCALAR *source, ptrdiff_t stride, SCALAR *target, size_t step) {
  // With a constant number of rows, the code has no branch for each row.
  switch (rows) {
#if LANE == LANE_F32 && CSIMD_REGISTERS >= 8
    case TRANSPOSE_WIDTH: FN(transpose_some_lines)(TRANSPOSE_WIDTH, k, source, stride, target, step); break;
    case TILE_ROWS: FN(transpose_some_lines)(TILE_ROWS, k, source, stride, target, step); break;
#endif
    default: FN(transpose_some_lines)(rows, k, source, stride, target, step);
  }
}

// A line of a sliver (the elements of a tile's rows for one term), as the smallest vector that holds TILE_ROWS
// elements.
#undef SLIVER_LANES
#define SLIVER_LANES (TILE_ROWS <= 4 ? 4 : TILE_ROWS <= 8 ? 8 : 16)
typedef SCALAR FN(sliver_line) __attribute__((ext_vector_type(SLIVER_LANES), aligned(sizeof(SCALAR)), may_alias));
typedef SCALAR FN(half_line) __attribute__((ext_vector_type(SLIVER_LANES / 2), aligned(sizeof(SCALAR)), may_alias));

// Copies `rows` elements of a line; with `is_whole` a whole vector, which may be longer.
INLINE void FN(copy_line)(SCALAR *to, const SCALAR *from, size_t rows, int is_whole) {
  const size_t half = SLIVER_LANES / 2;
  if (is_whole) {
    *(FN(sliver_line) *)to = *(const FN(sliver_line) *)from;
  } else if (rows >= half) {
    // Copy two vectors that overlap.
    FN(half_line) first = *(const FN(half_line) *)from, last = *(const FN(half_line) *)(from + rows - half);
    *(FN(half_line) *)to = first;
    *(FN(half_line) *)(to + rows - half) = last;
  } else {
    COPY_SOME(V)(to, from, rows);
  }
}

#undef SLIVERS_AT_ONCE
#define SLIVERS_AT_ONCE 4
// Packs rows of a transposed factor, SLIVERS_AT_ONCE slivers at a time: reads each line of the factor (its elements for
// one term) once for all of these slivers, in memory order. There are only a few slivers at a time because slivers are
// often a multiple of 4 KiB apart: then all lines that are written at the same time map to one L1 cache set, which
// holds only a few cache lines.
static void FN(pack_transposed_rows)(size_t m, size_t k, const SCALAR *a, ptrdiff_t line, SCALAR *slivers) {
  size_t tiles = CEIL_DIVIDE(m, TILE_ROWS);
  for (size_t tile = 0, start = 0; tile < tiles; tile += SLIVERS_AT_ONCE) {
    size_t count = tiles - tile < SLIVERS_AT_ONCE ? tiles - tile : SLIVERS_AT_ONCE;
    size_t first[SLIVERS_AT_ONCE], rows[SLIVERS_AT_ONCE], whole[SLIVERS_AT_ONCE];
    SCALAR *to[SLIVERS_AT_ONCE];
    for (size_t t = 0; t < count; t += 1) {
      first[t] = start;
      rows[t] = m / tiles + (tile + t < m % tiles);
      to[t] = slivers + start * k;
      // The number of lines that are copied as whole vectors. Such a vector may be longer than a line; the next lines
      // overwrite the elements past the line.
      int has_space = start + SLIVER_LANES <= m && k * rows[t] >= SLIVER_LANES;
      whole[t] = has_space ? k - (SLIVER_LANES - 1) / rows[t] : 0;
      start += rows[t];
    }
    const SCALAR *from = a;
    for (size_t i = 0; i < k; i += 1, from += line)
      for (size_t t = 0; t < count; t += 1) {
        __builtin_prefetch(from + PREFETCH_LINES * line + first[t]);
        FN(copy_line)(to[t], from + first[t], rows[t], i < whole[t]);
        to[t] += rows[t];
      }
  }
}

static void FN(pack_rows)(size_t m, size_t k, const void *a, ptrdiff_t row, ptrdiff_t column, void *slivers) {
  if (column != 1) {
    FN(pack_transposed_rows)(m, k, a, column, slivers);
    return;
  }
  FOR_SLIVERS(m, {
    FN(transpose_lines)(rows, k, (const SCALAR *)a + (ptrdiff_t)first * row, row, (SCALAR *)slivers + first * k, rows);
  })
}

// Copies `count` adjacent whole panels, one line of each at a time, in memory order.
INLINE void FN(copy_panels)(const int count, size_t k, const SCALAR *from, ptrdiff_t row, SCALAR *to, size_t distance) {
  for (size_t i = 0; i < k; i += 1, from += row, to += PANEL_WIDTH) {
    // Lines are far apart: prefetch later lines or, after the last line, the first lines of the next panels.
    size_t next = i + PREFETCH_LINES;
    const SCALAR *ahead = from + PREFETCH_LINES * row + (next < k ? 0 : count * PANEL_WIDTH - (ptrdiff_t)k * row);
  TILE_LOOP for (int v = 0; v < count * TILE_VECTORS; v += 1) __builtin_prefetch(ahead + v * LANES);
    TILE_LOOP for (int p = 0; p < count; p += 1)
      TILE_LOOP for (int v = 0; v < TILE_VECTORS; v += 1)
        STORE(V, to + (size_t)p * distance + v * LANES, LOAD(V, from + (p * TILE_VECTORS + v) * LANES));
  }
}

#undef PANELS_AT_ONCE
#define PANELS_AT_ONCE 4
static void FN(pack_columns)(
    size_t n, size_t k, const void *b, ptrdiff_t row, ptrdiff_t column, void *panels, size_t distance) {
  size_t at = 0;
  if (column == 1) {
    const SCALAR *from = b;
    for (; at + PANELS_AT_ONCE * PANEL_WIDTH <= n; at += PANELS_AT_ONCE * PANEL_WIDTH)
      FN(copy_panels)(
          PANELS_AT_ONCE, k, from + at, row, (SCALAR *)panels + at / PANEL_WIDTH * distance, distance);
    for (; at + PANEL_WIDTH <= n; at += PANEL_WIDTH)
      FN(copy_panels)(1, k, from + at, row, (SCALAR *)panels + at / PANEL_WIDTH * distance, distance);
  }
  for (; at < n; at += PANEL_WIDTH) {
    size_t columns = FN(panel_columns)(n, at);
    size_t width = PANEL_ROW(columns);
    const SCALAR *from = (const SCALAR *)b + (ptrdiff_t)at * column;
    SCALAR *to = (SCALAR *)panels + at / PANEL_WIDTH * distance;
    if (columns < width) memset(to, 0, k * width * sizeof(SCALAR));
    if (column == 1) {
      for (size_t i = 0; i < k; i += 1, from += row, to += width) memcpy(to, from, columns * sizeof(SCALAR));
      continue;
    }
    size_t transposed = 0;
#if LANE == LANE_F32 && CSIMD_REGISTERS >= 8
    // Transpose whole blocks inside of the panel.
    for (; transposed + TRANSPOSE_WIDTH <= columns; transposed += TRANSPOSE_WIDTH)
      FN(transpose_lines)(TRANSPOSE_WIDTH, k, from + (ptrdiff_t)transposed * column, column, to + transposed, width);
#endif
    for (size_t c = transposed; c < columns; c += 1)
      for (size_t i = 0; i < k; i += 1) to[i * width + c] = from[(ptrdiff_t)c * column + (ptrdiff_t)i];
  }
}
#undef FOR_SLIVERS

// Adds partial sums: the results of accumulation chains that were computed separately.
static void FN(chain_sums)(
    size_t rows, size_t columns, size_t chains, const void *first, size_t row, size_t distance, void *c, size_t c_row) {
  for (size_t r = 0; r < rows; r += 1) {
    const SCALAR *from = (const SCALAR *)first + r * row;
    SCALAR *to = (SCALAR *)c + r * c_row;
    size_t j = 0;
    for (; j + LANES <= columns; j += LANES) {
      V sum = LOAD(V, from + j);
      for (size_t chain = 1; chain < chains; chain += 1) sum += LOAD(V, from + chain * distance + j);
      STORE(V, to + j, sum);
    }
    for (; j < columns; j += 1) {
      SCALAR sum = from[j];
      for (size_t chain = 1; chain < chains; chain += 1) sum += from[chain * distance + j];
      to[j] = sum;
    }
  }
}
