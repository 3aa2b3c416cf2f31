// Micro-kernels of matrix products: a tile of sums is computed in registers. Included once for each kind of factors,
// after definitions of
//   FN(name), V, SCALAR           a function's name for these factors, the vector type, its element type
//   MULTIPLY_ADD(a, b, c)         c plus the product(s) of a and b
//
//                       a panel: TILE_VECTORS vectors of columns
//                      ┌────────────┐
//                    k │ b          │  one row at a time
//                      └────────────┘
//              k
//            ┌─────┐   ┌────────────┐
//   a sliver │ a   │   │ sums       │  in registers
//            └─────┘   └────────────┘
//   TILE_ROWS rows, one element of each at a time

// A tile of sums and a row of the panel fill the registers: CSIMD_REGISTERS vectors of 16 floats, or half as many
// vectors of 16 doubles.
#undef TILE_ROWS
#undef TILE_VECTORS
#if CSIMD_REGISTERS >= 32
#define TILE_VECTORS 2
#if LANE == LANE_F32
#define TILE_ROWS 12
#else
#define TILE_ROWS 6
#endif
#else
#define TILE_VECTORS 1
#if CSIMD_REGISTERS >= 8 && LANE == LANE_F32
#define TILE_ROWS 6
#elif CSIMD_REGISTERS >= 8
#define TILE_ROWS 3
#else
#define TILE_ROWS 2
#endif
#endif
#undef PANEL_WIDTH
#define PANEL_WIDTH (TILE_VECTORS * LANES)
enum { FN(panel_width) = PANEL_WIDTH };
// Loops over a tile must be fully unrolled, so that its sums stay in registers.
#undef TILE_LOOP
#define TILE_LOOP _Pragma("clang loop unroll(full)")

// Stores the first `columns` columns of a tile of sums. The function is not inlined. If it were, it would be unrolled
// for each size of a tile, and its code would be larger than all loops of products.
static __attribute__((noinline)) void FN(store_columns)(
    size_t rows, size_t vectors, const V (*sums)[TILE_VECTORS], SCALAR *c, size_t c_row, size_t columns,
    int accumulates) {
  for (size_t r = 0; r < rows; r += 1)
    for (size_t v = 0; v < vectors; v += 1) {
      SCALAR *to = c + r * c_row + v * LANES;
      size_t count = columns > v * LANES ? columns - v * LANES : 0;
      if (count > LANES) count = LANES;
      V result = sums[r][v];
      if (accumulates) {
        V before = (V)(0);
        if (count == LANES) before = LOAD(V, to);
        else COPY_SOME(V)(&before, to, count);
        result += before;
      }
      if (count == LANES) STORE(V, to, result);
      else COPY_SOME(V)(to, &result, count);
    }
}

// Computes a tile. Each sum is one accumulation chain along all lines of the factors (ranges of terms, see
// csimd_lines), independent of the tile's height; `columns` columns are stored. Each step of a chain prefetches a cache
// line at `ahead`, which then advances by `ahead_step` bytes; nothing is prefetched if `ahead` is NULL.
INLINE void FN(tile)(
    const int rows, const int vectors, csimd_lines lines, const SCALAR *a, size_t a_row, const SCALAR *b, size_t b_row,
    SCALAR *c, size_t c_row, size_t columns, int accumulates, const char *ahead, size_t ahead_step) {
  V sums[TILE_ROWS][TILE_VECTORS];
  TILE_LOOP for (int r = 0; r < rows; r += 1)
    TILE_LOOP for (int v = 0; v < vectors; v += 1) {
      sums[r][v] = (V)(0);
      __builtin_prefetch(c + r * c_row + v * LANES, 1);
    }
  for (size_t outer = 0; outer < lines.count[0]; outer += 1)
    for (size_t inner = 0; inner < lines.count[1]; inner += 1) {
      const SCALAR *from = a + (ptrdiff_t)outer * lines.a[0] + (ptrdiff_t)inner * lines.a[1];
      const SCALAR *line_of = b + (ptrdiff_t)outer * lines.b[0] + (ptrdiff_t)inner * lines.b[1];
      // If this loop starts 32 bytes into a cache line, products with AVX2 take 5 to 7 % more time on Zen 3.
      [[clang::code_align(64)]] for (size_t i = 0; i < lines.k; i += 1) {
        if (ahead) __builtin_prefetch(ahead + i * ahead_step, 0, 2);
        V line[TILE_VECTORS];
        TILE_LOOP for (int v = 0; v < vectors; v += 1) line[v] = LOAD(V, line_of + v * LANES);
        TILE_LOOP for (int r = 0; r < rows; r += 1) {
          V factor = (V)(from[r * a_row]);
          TILE_LOOP for (int v = 0; v < vectors; v += 1) sums[r][v] = MULTIPLY_ADD(factor, line[v], sums[r][v]);
        }
        from += lines.a_step;
        line_of += b_row;
      }
    }
  if (columns == (size_t)vectors * LANES) {
    TILE_LOOP for (int r = 0; r < rows; r += 1)
      TILE_LOOP for (int v = 0; v < vectors; v += 1) {
        SCALAR *to = c + r * c_row + v * LANES;
        STORE(V, to, accumulates ? sums[r][v] + LOAD(V, to) : sums[r][v]);
      }
    return;
  }
  V stored[TILE_ROWS][TILE_VECTORS];
  TILE_LOOP for (int r = 0; r < rows; r += 1)
    TILE_LOOP for (int v = 0; v < vectors; v += 1) stored[r][v] = sums[r][v];
  FN(store_columns)(rows, vectors, stored, c, c_row, columns, accumulates);
}

#define TILE_CASE(rows) \
  case rows: \
    FN(tile)(rows, vectors, lines, a, a_row, b, b_row, c, c_row, columns, accumulates, ahead, ahead_step); \
    break;
INLINE void FN(tile_of)(
    size_t rows, const int vectors, csimd_lines lines, const SCALAR *a, size_t a_row, const SCALAR *b, size_t b_row,
    SCALAR *c, size_t c_row, size_t columns, int accumulates, const char *ahead, size_t ahead_step) {
  switch (rows) {
    TILE_CASE(1)
    TILE_CASE(2)
#if TILE_ROWS >= 3
    TILE_CASE(3)
#endif
#if TILE_ROWS >= 6
    TILE_CASE(4)
    TILE_CASE(5)
    TILE_CASE(6)
#endif
#if TILE_ROWS >= 12
    TILE_CASE(7)
    TILE_CASE(8)
    TILE_CASE(9)
    TILE_CASE(10)
    TILE_CASE(11)
    TILE_CASE(12)
#endif
  }
}
#undef TILE_CASE

// The number of columns of the panel that begins at `column`, of n columns in all.
INLINE size_t FN(panel_columns)(size_t n, size_t column) {
  return n - column < PANEL_WIDTH ? n - column : PANEL_WIDTH;
}

// The number of vectors in a panel of `columns` columns; a narrow last panel may have fewer than TILE_VECTORS.
INLINE int FN(panel_vectors)(size_t columns) { return (int)CEIL_DIVIDE(columns, LANES); }

// The row stride of a packed panel of `columns` columns.
#define PANEL_ROW(columns) ((size_t)FN(panel_vectors)(columns) * LANES)

static __attribute__((noinline)) void FN(tile_any)(
    size_t rows, size_t k, const SCALAR *a, const SCALAR *b, size_t b_row, SCALAR *c, size_t c_row, size_t columns,
    int accumulates) {
  csimd_lines line = {{1, 1}, {0, 0}, {0, 0}, k, rows, 0};
#if TILE_VECTORS == 2
  if (FN(panel_vectors)(columns) == 2) {
    FN(tile_of)(rows, 2, line, a, 1, b, b_row, c, c_row, columns, accumulates, NULL, 0);
    return;
  }
#endif
  FN(tile_of)(rows, 1, line, a, 1, b, b_row, c, c_row, columns, accumulates, NULL, 0);
}

// Like `tile_any`, which reads a packed sliver, but with given strides of `a`. Each step along k prefetches a cache
// line at `ahead` (see `tile`).
static __attribute__((noinline)) void FN(tile_with_lines)(
    size_t rows, size_t k, const SCALAR *a, size_t a_row, size_t a_step, const SCALAR *b, size_t b_row, SCALAR *c,
    size_t c_row, size_t columns, int accumulates, const char *ahead, size_t ahead_step) {
  csimd_lines line = {{1, 1}, {0, 0}, {0, 0}, k, a_step, 0};
#if TILE_VECTORS == 2
  if (FN(panel_vectors)(columns) == 2) {
    FN(tile_of)(rows, 2, line, a, a_row, b, b_row, c, c_row, columns, accumulates, ahead, ahead_step);
    return;
  }
#endif
  FN(tile_of)(rows, 1, line, a, a_row, b, b_row, c, c_row, columns, accumulates, ahead, ahead_step);
}

// Iterates over slivers whose heights differ by at most one.
#define FOR_SLIVERS(m, body)                                                            \
  for (size_t t = 0, first = 0, tiles = CEIL_DIVIDE(m, TILE_ROWS); t < tiles; t += 1) { \
    size_t rows = m / tiles + (t < m % tiles);                                          \
    body;                                                                               \
    first += rows;                                                                      \
  }

// If k is at most this number, most of a tile's memory traffic is its results. `BlockSchedule.shortDepth` in ApusCPU
// has the same value.
#undef SHORT_CHAIN
#define SHORT_CHAIN 64
#undef PAGE_BYTES
#define PAGE_BYTES 4096
#define TILES(m, n) (CEIL_DIVIDE(m, TILE_ROWS) * CEIL_DIVIDE(n, PANEL_WIDTH))

static void FN(block_multiply)(
    size_t m, size_t n, size_t k, const void *slivers, const csimd_panels *panels, void *c, size_t c_row,
    int accumulates, const csimd_prefetch_block *ahead) {
  prefetch_lines lines = prefetch_lines_of(ahead, k, TILES(m, n));
  prefetch_share next = prefetch_share_of(lines.count > 0 ? NULL : ahead, TILES(m, n));
  // If results are most of the memory traffic and rows of c are a page or more apart, a sliver's rows are completed
  // before the next sliver, so that only a few pages are written at a time.
  size_t group = k <= SHORT_CHAIN && c_row * sizeof(SCALAR) >= PAGE_BYTES ? n : PANEL_WIDTH;
  for (size_t start = 0; start < n; start += group) {
    size_t end = n - start < group ? n : start + group;
    FOR_SLIVERS(m, {
      const SCALAR *sliver = (const SCALAR *)slivers + first * k;
      for (size_t column = start; column < end; column += PANEL_WIDTH) {
        size_t columns = FN(panel_columns)(n, column);
        size_t b_row = panels->row != 0 ? panels->row : PANEL_ROW(columns);
        const SCALAR *b =
            (const SCALAR *)panels->data + column / PANEL_WIDTH * panels->distance + panels->first * b_row;
        SCALAR *target = (SCALAR *)c + first * c_row + column;
        const char *line = next_line(&lines);
        if (line) {
          FN(tile_with_lines)(
              rows, k, sliver, 1, rows, b, b_row, target, c_row, columns, accumulates, line, lines.step);
        } else {
          prefetch_for_tile(&next);
          FN(tile_any)(rows, k, sliver, b, b_row, target, c_row, columns, accumulates);
        }
      }
    })
  }
}

// Products whose factors consist of several lines, such as the pixels of a window and the weights of a convolution.
static __attribute__((noinline)) void FN(tile_lines)(
    size_t rows, const csimd_lines *lines, const SCALAR *a, size_t a_row, const SCALAR *b, size_t b_row, SCALAR *c,
    size_t c_row, size_t columns, int accumulates) {
#if TILE_VECTORS == 2
  if (FN(panel_vectors)(columns) == 2) {
    FN(tile_of)(rows, 2, *lines, a, a_row, b, b_row, c, c_row, columns, accumulates, NULL, 0);
    return;
  }
#endif
  FN(tile_of)(rows, 1, *lines, a, a_row, b, b_row, c, c_row, columns, accumulates, NULL, 0);
}

static void FN(lines_multiply)(
    size_t m, size_t n, const csimd_lines *lines, const void *a, ptrdiff_t a_row, const void *b, size_t b_row,
    ptrdiff_t b_panel, void *c, ptrdiff_t c_row, int accumulates, const csimd_prefetch_block *ahead) {
  int is_product = lines->count[0] == 1 && lines->count[1] == 1;
  prefetch_lines columns_ahead = prefetch_lines_of(is_product ? ahead : NULL, lines->k, TILES(m, n));
  prefetch_share next = prefetch_share_of(columns_ahead.count > 0 ? NULL : ahead, TILES(m, n));
  for (size_t column = 0; column < n; column += PANEL_WIDTH) {
    size_t columns = FN(panel_columns)(n, column);
    size_t row = b_row != 0 ? b_row : PANEL_ROW(columns);
    FOR_SLIVERS(m, {
      const SCALAR *from = (const SCALAR *)a + (ptrdiff_t)first * a_row;
      const SCALAR *panel = (const SCALAR *)b + (ptrdiff_t)(column / PANEL_WIDTH) * b_panel + lines->first * row;
      SCALAR *target = (SCALAR *)c + (ptrdiff_t)first * c_row + column;
      const char *line = next_line(&columns_ahead);
      if (line) {
        FN(tile_with_lines)(
            rows, lines->k, from, a_row, lines->a_step, panel, row, target, c_row, columns, accumulates, line,
            columns_ahead.step);
      } else {
        prefetch_for_tile(&next);
        FN(tile_lines)(rows, lines, from, a_row, panel, row, target, c_row, columns, accumulates);
      }
    })
  }
}

