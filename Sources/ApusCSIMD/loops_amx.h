// Matrix products of bfloat16 factors on the tile registers of AMX.
//
//            16 columns    16 columns
//           ┌────────────┬────────────┐
//           │ tile 6     │ tile 7     │  16 words along k of a panel
//           └────────────┴────────────┘
//   ┌─────┐ ┌────────────┬────────────┐
//   │  4  │ │ sums 0     │ sums 1     │  up to 16 rows
//   ├─────┤ ├────────────┼────────────┤
//   │  5  │ │ sums 2     │ sums 3     │  up to 16 rows
//   └─────┘ └────────────┴────────────┘
//   16 words along k
//
// A word is two bfloat16 numbers, k is the inner dimension, and a panel is up to 32 columns of the right factor. For
// each sum, an instruction multiplies the 32 numbers in 16 words of a row by the 32 numbers in 16 words of a column,
// and adds the 32 products. It adds the 16 products of the upper halves of the words in order, with fused
// multiply-adds, and likewise the 16 products of the lower halves. Then it adds the two sums, and adds the result to
// the accumulator. The order depends only on k.

#define AMX_ROWS 16
#define AMX_WORDS 16
#define AMX_TILE (AMX_ROWS * AMX_WORDS)

INLINE size_t amx_words(size_t k) { return CEIL_DIVIDE(CEIL_DIVIDE(k, 2), AMX_WORDS) * AMX_WORDS; }

// Packs 32 numbers into 16 words. Numbers from `count` on are replaced by zeros.
INLINE VF amx_word_row(const float *numbers, size_t count) {
  float rest[2 * LANES] = {0};
  if (count < 2 * LANES) {
    memcpy(rest, numbers, count * sizeof(float));
    numbers = rest;
  }
  return joined_numbers(numbers);
}

// Packs rows in blocks of at most 16 rows. For each group of 16 words along k, a block contains these words of each of
// its rows, row by row.
static void amx_pack_rows(size_t m, size_t k, const void *a, ptrdiff_t row, ptrdiff_t column, void *slivers) {
  size_t words = amx_words(k);
  if (column == 1) {
    for (size_t r = 0; r < m; r += 1) {
      size_t first = r / AMX_ROWS * AMX_ROWS, rows = m - first < AMX_ROWS ? m - first : AMX_ROWS;
      const float *from = (const float *)a + (ptrdiff_t)r * row;
      float *to = (float *)slivers + first * words + (r - first) * AMX_WORDS;
      for (size_t i = 0; i < words; i += AMX_WORDS, to += rows * AMX_WORDS)
        STORE(VF, to, amx_word_row(from + 2 * i, 2 * i < k ? k - 2 * i : 0));
    }
    return;
  }
  const float *lines = a;
  for (size_t i = 0; i < words; i += AMX_WORDS)
    for (size_t first = 0; first < m; first += AMX_ROWS) {
      size_t rows = m - first < AMX_ROWS ? m - first : AMX_ROWS;
      VF block[AMX_WORDS];
  TRANSPOSE_LOOP for (size_t j = 0; j < AMX_WORDS; j += 1) {
        size_t at = 2 * (i + j);
        const float *line = lines + (ptrdiff_t)at * column + first;
        block[j] = at < k ? joined_rows(line, at + 1 < k ? line + column : NULL, rows) : (VF)(0);
      }
      transpose_registers(block);
      float *to = (float *)slivers + first * words + i * rows;
      TRANSPOSE_LOOP for (size_t r = 0; r < AMX_ROWS; r += 1) if (r < rows) STORE(VF, to + r * AMX_WORDS, block[r]);
    }
}

static void amx_pack_columns(
    size_t n, size_t k, const void *b, ptrdiff_t row, ptrdiff_t column, void *panels, size_t distance) {
  FN(pack_columns)(n, k, b, row, column, panels, distance);
  size_t words = CEIL_DIVIDE(k, 2), rest = amx_words(k) - words;
  for (size_t at = 0; rest > 0 && at < n; at += PANEL_WIDTH) {
    size_t columns = FN(panel_columns)(n, at);
    size_t width = PANEL_ROW(columns);
    memset((float *)panels + at / PANEL_WIDTH * distance + words * width, 0, rest * width * sizeof(float));
  }
}

typedef struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} amx_configuration;

// Configures the tiles for `rows` rows of sums and `more` rows below them; tiles without rows have the size 0 × 0.
INLINE void amx_configure(size_t rows, size_t more) {
  amx_configuration shape = {1, 0, {0}, {0}, {0}};
  const size_t heights[8] = {rows, rows, more, more, rows, more, AMX_WORDS, AMX_WORDS};
  for (int tile = 0; tile < 8; tile += 1) {
    shape.rows[tile] = (uint8_t)heights[tile];
    shape.row_bytes[tile] = heights[tile] > 0 ? AMX_WORDS * sizeof(float) : 0;
  }
  _tile_loadconfig(&shape);
}

// The destination of a tile's sums.
typedef struct {
  float *c;
  size_t row;
  int accumulates;
} amx_target;

// Stores or adds `rows` rows of the sums at `sums`.
static void amx_finish(size_t rows, const float *sums, amx_target to, size_t columns) {
  for (size_t r = 0; r < rows; r += 1, to.c += to.row) {
    VF sum = LOAD(VF, sums + r * LANES);
    if (columns >= LANES) {
      STORE(VF, to.c, to.accumulates ? LOAD(VF, to.c) + sum : sum);
      continue;
    }
    VF before = (VF)(0);
    if (to.accumulates) {
      COPY_SOME(VF)(&before, to.c, columns);
      sum = before + sum;
    }
    COPY_SOME(VF)(to.c, &sum, columns);
  }
}

#define AMX_STORE(tile, rows, to, columns)                \
  if ((columns) >= LANES && !(to).accumulates) {          \
    _tile_stored(tile, (to).c, (to).row * sizeof(float)); \
  } else {                                                \
    _Alignas(64) float sums[AMX_TILE];                    \
    _tile_stored(tile, sums, AMX_WORDS * sizeof(float));  \
    amx_finish(rows, sums, to, columns);                  \
  }

// Where `amx_tile` reads a factor: the first word, the row stride of a tile in bytes, and the number of words from one
// group of 16 words along k to the next.
typedef struct {
  const float *words;
  size_t row_bytes;
  size_t step;
} amx_factor;

// Computes the sums of rows + more (up to 32) rows and `columns` columns over all lines, which are ranges of terms (see
// csimd_lines). `a` is the block of the first `rows` rows, and `a_more` the block of the `more` rows below them.
INLINE void amx_tile(
    const int has_more, const int vectors, const csimd_lines *lines, size_t rows, size_t more, amx_factor a,
    amx_factor a_more, amx_factor b, amx_target to, size_t columns) {
  _tile_zero(0);
  if (vectors == 2) _tile_zero(1);
  if (has_more) _tile_zero(2);
  if (has_more && vectors == 2) _tile_zero(3);
  for (size_t outer = 0; outer < lines->count[0]; outer += 1)
    for (size_t inner = 0; inner < lines->count[1]; inner += 1) {
      ptrdiff_t move = (ptrdiff_t)outer * lines->a[0] + (ptrdiff_t)inner * lines->a[1];
      const float *x = a.words + move, *y = a_more.words + move;
      const float *line = b.words + (ptrdiff_t)outer * lines->b[0] + (ptrdiff_t)inner * lines->b[1];
      for (size_t i = 0; i < lines->k; i += AMX_WORDS) {
        _tile_loadd(4, x, a.row_bytes);
        _tile_loadd(6, line, b.row_bytes);
        _tile_dpbf16ps(0, 4, 6);
        if (vectors == 2) {
          _tile_loadd(7, line + LANES, b.row_bytes);
          _tile_dpbf16ps(1, 4, 7);
        }
        if (has_more) {
          _tile_loadd(5, y, a_more.row_bytes);
          _tile_dpbf16ps(2, 5, 6);
          if (vectors == 2) _tile_dpbf16ps(3, 5, 7);
        }
        x += a.step;
        y += a_more.step;
        line += b.step;
      }
    }
  size_t left = columns < LANES ? columns : LANES, right = columns - left;
  amx_target beside = {to.c + LANES, to.row, to.accumulates};
  AMX_STORE(0, rows, to, left)
  if (vectors == 2) { AMX_STORE(1, rows, beside, right) }
  if (!has_more) return;
  to.c += rows * to.row;
  beside.c += rows * to.row;
  AMX_STORE(2, more, to, left)
  if (vectors == 2) { AMX_STORE(3, more, beside, right) }
}

static __attribute__((noinline)) void amx_tile_any(
    const csimd_lines *lines, size_t rows, size_t more, amx_factor a, amx_factor a_more, amx_factor b, amx_target to,
    size_t columns) {
  int vectors = FN(panel_vectors)(columns);
  if (more > 0 && vectors == 2) amx_tile(1, 2, lines, rows, more, a, a_more, b, to, columns);
  else if (more > 0) amx_tile(1, 1, lines, rows, more, a, a_more, b, to, columns);
  else if (vectors == 2) amx_tile(0, 2, lines, rows, more, a, a_more, b, to, columns);
  else amx_tile(0, 1, lines, rows, more, a, a_more, b, to, columns);
}

// Sets `rows` and `more` to the heights of the two blocks from row `first` of m on, and configures the tiles if these
// heights have changed.
#define AMX_BLOCKS(m, first)                                            \
  size_t left = m - first, rows = left < AMX_ROWS ? left : AMX_ROWS;    \
  size_t more = left - rows < AMX_ROWS ? left - rows : AMX_ROWS;        \
  if (rows != shaped || more != shaped_more) amx_configure(rows, more); \
  shaped = rows;                                                        \
  shaped_more = more;

static void amx_block_multiply(
    size_t m, size_t n, size_t k, const void *slivers, const csimd_panels *panels, void *c, size_t c_row,
    int accumulates, const csimd_prefetch_block *ahead) {
  size_t tiles = CEIL_DIVIDE(m, 2 * AMX_ROWS) * CEIL_DIVIDE(n, PANEL_WIDTH);
  prefetch_share next = prefetch_share_of(ahead, tiles);
  csimd_lines line = {{1, 1}, {0, 0}, {0, 0}, k, 1, 0};
  size_t shaped = 0, shaped_more = 0;
  for (size_t first = 0; first < m; first += 2 * AMX_ROWS) {
    AMX_BLOCKS(m, first)
    const float *words = (const float *)slivers + first * k;
    amx_factor a = {words, AMX_WORDS * sizeof(float), rows * AMX_WORDS};
    amx_factor a_more = {words + rows * k, AMX_WORDS * sizeof(float), more * AMX_WORDS};
    for (size_t column = 0; column < n; column += PANEL_WIDTH) {
      size_t columns = FN(panel_columns)(n, column);
      size_t width = PANEL_ROW(columns);
      const float *panel = (const float *)panels->data + column / PANEL_WIDTH * panels->distance +
          panels->first * width;
      amx_factor b = {panel, width * sizeof(float), AMX_WORDS * width};
      amx_target to = {(float *)c + first * c_row + column, c_row, accumulates};
      prefetch_for_tile(&next);
      amx_tile_any(&line, rows, more, a, a_more, b, to, columns);
    }
  }
  _tile_release();
}

// Multiplies lines (see csimd_lines) without tile registers if their words are not contiguous, or if the number of
// words in a line is not a multiple of 16.
static void amx_lines_multiply(
    size_t m, size_t n, const csimd_lines *lines, const void *a, ptrdiff_t a_row, const void *b, size_t b_row,
    ptrdiff_t b_panel, void *c, ptrdiff_t c_row, int accumulates, const csimd_prefetch_block *ahead) {
  if (lines->k % AMX_WORDS != 0 || lines->a_step != 1) {
    FN(lines_multiply)(m, n, lines, a, a_row, b, b_row, b_panel, c, c_row, accumulates, ahead);
    return;
  }
  size_t shaped = 0, shaped_more = 0;
  for (size_t first = 0; first < m; first += 2 * AMX_ROWS) {
    AMX_BLOCKS(m, first)
    const float *words = (const float *)a + (ptrdiff_t)first * a_row;
    size_t row_bytes = (size_t)a_row * sizeof(float);
    amx_factor above = {words, row_bytes, AMX_WORDS};
    amx_factor below = {words + (ptrdiff_t)rows * a_row, row_bytes, AMX_WORDS};
    for (size_t column = 0; column < n; column += PANEL_WIDTH) {
      size_t columns = FN(panel_columns)(n, column);
      size_t width = b_row != 0 ? b_row : PANEL_ROW(columns);
      const float *panel = (const float *)b + (ptrdiff_t)(column / PANEL_WIDTH) * b_panel + lines->first * width;
      amx_factor right = {panel, width * sizeof(float), AMX_WORDS * width};
      amx_target to = {(float *)c + (ptrdiff_t)first * c_row + column, (size_t)c_row, accumulates};
      amx_tile_any(lines, rows, more, above, below, right, to, columns);
    }
  }
  _tile_release();
}

const csimd_pairs csimd_amx_bf16 = {
    .word_multiple = AMX_WORDS,
    .pack_rows = amx_pack_rows,
    .pack_columns = amx_pack_columns,
    .block_multiply = amx_block_multiply,
    .lines_multiply = amx_lines_multiply,
    .join = join,
    .join_lines = join_lines,
};
