// Convolutions of one channel with one filter of 3 × 3 taps and stride 1, on a plane that is padded with zeros.
//
//     out[r][p] = Σ_i Σ_j weights[3i + j] · x[r + i][p + j]
//
// Rows of results are at least LANES long. The last vector of a row ends where the row ends, so that it may overlap the one
// before it.

#define DEPTHWISE_ROWS 4
#define DEPTHWISE_LOOP _Pragma("clang loop unroll(full)")

// Some rows of one vector. With enough registers each row of pixels is read once for all of them.
INLINE void depthwise_tile(
    const int rows, const float *x, size_t x_row, const float *weights, float *out, size_t out_row) {
  VF sums[DEPTHWISE_ROWS];
  DEPTHWISE_LOOP for (int r = 0; r < rows; r += 1) sums[r] = (VF)(0.0f);
#if CSIMD_REGISTERS >= 32
  VF pixels[DEPTHWISE_ROWS + 2][3];
  DEPTHWISE_LOOP for (int i = 0; i < rows + 2; i += 1)
    DEPTHWISE_LOOP for (int j = 0; j < 3; j += 1) pixels[i][j] = LOAD(VF, x + (size_t)i * x_row + j);
#define PIXELS(i, j) pixels[i][j]
#else
#define PIXELS(i, j) LOAD(VF, x + (size_t)(i) * x_row + (j))
#endif
  DEPTHWISE_LOOP for (int i = 0; i < 3; i += 1)
    DEPTHWISE_LOOP for (int j = 0; j < 3; j += 1) {
      VF weight = (VF)(weights[3 * i + j]);
      DEPTHWISE_LOOP for (int r = 0; r < rows; r += 1) sums[r] = FMA(PIXELS(r + i, j), weight, sums[r]);
    }
#undef PIXELS
  DEPTHWISE_LOOP for (int r = 0; r < rows; r += 1) STORE(VF, out + (size_t)r * out_row, sums[r]);
}

static void depthwise_multiply(
    const float *x, size_t x_row, const float *weights, float *out, size_t out_row, size_t rows, size_t columns) {
  // A last tile of few rows computes some of those before it again.
  size_t height = rows < DEPTHWISE_ROWS ? 1 : DEPTHWISE_ROWS;
  for (size_t row = 0; row < rows; row += height) {
    size_t r = row + height <= rows ? row : rows - height;
    for (size_t at = 0; at < columns; at += LANES) {
      size_t p = at + LANES <= columns ? at : columns - LANES;
      const float *from = x + r * x_row + p;
      float *to = out + r * out_row + p;
      if (height == 1) depthwise_tile(1, from, x_row, weights, to, out_row);
      else depthwise_tile(DEPTHWISE_ROWS, from, x_row, weights, to, out_row);
    }
  }
}

// The sums of one vector of each row. A row of pixels, which is read once, meets three rows of y. Lanes that are not `fresh`
// were taken by the vector before, and left out where there are some.
INLINE void depthwise_column(
    const int is_partial, VI fresh, const float *x, size_t x_row, const float *y, size_t y_row, size_t rows, float *sums) {
  VF s[3][3], factors[3] = {(VF)(0.0f), (VF)(0.0f), (VF)(0.0f)};
  DEPTHWISE_LOOP for (int i = 0; i < 3; i += 1)
    DEPTHWISE_LOOP for (int j = 0; j < 3; j += 1) s[i][j] = LOAD(VF, sums + (3 * i + j) * LANES);
  for (size_t r = 0; r < rows + 2; r += 1) {
    factors[2] = factors[1];
    factors[1] = factors[0];
    if (r < rows) factors[0] = LOAD(VF, y + r * y_row);
    VF pixels[3];
    DEPTHWISE_LOOP for (int j = 0; j < 3; j += 1) pixels[j] = LOAD(VF, x + r * x_row + j);
    DEPTHWISE_LOOP for (int i = 0; i < 3; i += 1) {
      // Row r − i of y; there is none at both ends.
      if (r < (size_t)i || r - (size_t)i >= rows) continue;
      DEPTHWISE_LOOP for (int j = 0; j < 3; j += 1) {
        VF sum = FMA(pixels[j], factors[i], s[i][j]);
        s[i][j] = is_partial ? (fresh ? sum : s[i][j]) : sum;
      }
    }
  }
  DEPTHWISE_LOOP for (int i = 0; i < 3; i += 1)
    DEPTHWISE_LOOP for (int j = 0; j < 3; j += 1) STORE(VF, sums + (3 * i + j) * LANES, s[i][j]);
}

static void depthwise_correlate(
    const float *x, size_t x_row, const float *y, size_t y_row, size_t rows, size_t columns, float *sums) {
  const VI lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  size_t at = 0;
  for (; at + LANES <= columns; at += LANES) depthwise_column(0, lanes, x + at, x_row, y + at, y_row, rows, sums);
  if (at == columns) return;
  size_t p = columns - LANES;
  depthwise_column(1, lanes >= (VI)((int32_t)(at - p)), x + p, x_row, y + p, y_row, rows, sums);
}
