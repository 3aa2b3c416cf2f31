// Products of one row with a matrix. Included once for each floating-point type, after loops_matmul.h.

// The number of columns whose sums are computed at a time.
#undef ROW_CHUNK
#define ROW_CHUNK 2048

// Adds to `sums` the product of `a` and `b` over a range of k. The rows of `b` are contiguous.
INLINE void FN(add_lines)(
    size_t n, size_t k, const SCALAR *a, size_t a_step, const SCALAR *b, ptrdiff_t row, SCALAR *sums) {
  size_t whole = n / LANES * LANES;
  size_t i = 0;
  for (; i + 4 <= k; i += 4, b += 4 * row) {
    SCALAR f[4];
    for (size_t q = 0; q < 4; q += 1) f[q] = a[(i + q) * a_step];
    for (size_t j = 0; j < whole; j += LANES) {
      V sum = LOAD(V, sums + j);
  TILE_LOOP for (int q = 0; q < 4; q += 1) sum = MULTIPLY_ADD((V)(f[q]), LOAD(V, b + q * row + j), sum);
      STORE(V, sums + j, sum);
    }
    for (size_t j = whole; j < n; j += 1)
      for (int q = 0; q < 4; q += 1) sums[j] = MULTIPLY_ADD(f[q], b[q * row + (ptrdiff_t)j], sums[j]);
  }
  for (; i < k; i += 1, b += row)
    for (size_t j = 0; j < n; j += 1) sums[j] = MULTIPLY_ADD(a[i * a_step], b[j], sums[j]);
}

#if LANE == LANE_F32 && CSIMD_REGISTERS >= 8
// Returns the dot products of `a` with TRANSPOSE_WIDTH columns of `b`, each over `k` terms. The elements of a column
// are contiguous. Unless `ahead` is 0, also prefetches, for each column, the cache line `ahead` elements after the
// elements that it reads.
INLINE transposed_row FN(add_columns)(
    size_t k, const SCALAR *a, size_t a_step, const SCALAR *b, ptrdiff_t column, size_t ahead) {
  transposed_row sum = (transposed_row)(0);
  size_t i = 0;
  for (; i + TRANSPOSE_WIDTH <= k; i += TRANSPOSE_WIDTH) {
    transposed_row lines[TRANSPOSE_WIDTH];
    load_rows(TRANSPOSE_WIDTH, b + i, column, ahead ? b + i + ahead : NULL, lines);
    transpose_registers(lines);
    TILE_LOOP for (size_t r = 0; r < TRANSPOSE_WIDTH; r += 1)
      sum = MULTIPLY_ADD((transposed_row)(a[(i + r) * a_step]), lines[r], sum);
  }
  for (; i < k; i += 1)
    for (size_t r = 0; r < TRANSPOSE_WIDTH; r += 1)
      sum[r] = MULTIPLY_ADD(a[i * a_step], b[(ptrdiff_t)r * column + (ptrdiff_t)i], sum[r]);
  return sum;
}
#endif

// Writes the product of the row `a` (k elements) and the matrix `b` (k rows, n columns) to `c`; see csimd.h. Reads
// every element of `b` once.
static void FN(vector_multiply)(
    size_t n, size_t k, size_t depth, const void *a, size_t a_step, const void *b, ptrdiff_t row, ptrdiff_t column,
    void *c, int prefetches) {
  const SCALAR *factors = a, *matrix = b;
  SCALAR *result = c;
  memset(c, 0, n * sizeof(SCALAR));
  if (column == 1) {
    for (size_t at = 0; at < n; at += ROW_CHUNK) {
      size_t count = n - at < ROW_CHUNK ? n - at : ROW_CHUNK;
      for (size_t start = 0; start < k; start += depth) {
        SCALAR sums[ROW_CHUNK];
        memset(sums, 0, count * sizeof(SCALAR));
        FN(add_lines)(
            count, k - start < depth ? k - start : depth, factors + start * a_step, a_step,
            matrix + (ptrdiff_t)start * row + at, row, sums);
        for (size_t j = 0; j < count; j += 1) result[at + j] += sums[j];
      }
    }
    return;
  }
  size_t at = 0;
#if LANE == LANE_F32 && CSIMD_REGISTERS >= 8
  for (; at + TRANSPOSE_WIDTH <= n; at += TRANSPOSE_WIDTH) {
    transposed_row sum = (transposed_row)(0);
    for (size_t start = 0; start < k; start += depth)
      sum += FN(add_columns)(
          k - start < depth ? k - start : depth, factors + start * a_step, a_step,
          matrix + (ptrdiff_t)at * column + start, column, prefetches ? PREFETCH_NUMBERS : 0);
    STORE(transposed_row, result + at, sum);
  }
#endif
  for (; at < n; at += 1) {
    const SCALAR *from = matrix + (ptrdiff_t)at * column;
    for (size_t start = 0; start < k; start += depth) {
      SCALAR sum = 0;
      size_t end = k - start < depth ? k : start + depth;
      for (size_t i = start; i < end; i += 1) sum = MULTIPLY_ADD(factors[i * a_step], from[i], sum);
      result[at] += sum;
    }
  }
}
