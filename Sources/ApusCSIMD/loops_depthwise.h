// Convolutions of one channel with one filter of 3 × 3 taps and stride 1, and their weight gradients:
//
//     out[r][p] = Σ_i Σ_j weights[3i + j] · x[r + i + first][p + j − padding]
//
// Here, r and p are the row and the column of a result; i and j are the row and the column of a filter tap. Rows of
// results have at least LANES elements. The last vector of a row ends at the end of the row, and may overlap the
// previous vector.
//
// The plane is the image x. Row r of the result reads rows r + first to r + first + 2 of the plane; rows outside of the
// plane count as zeros. With a padding of 1, the plane is as wide as the result, and pixels to the left and right of it
// count as zeros. With a padding of 0, it is two columns wider than the result, so every pixel that a tap reads is in
// memory.

#define DEPTHWISE_ROWS 4
#define DEPTHWISE_LOOP _Pragma("clang loop unroll(full)")

// The pixels that a tap in column j of the filter reads for a vector of results. `x` points to the pixel in the column
// of the first result; `is_first` and `is_last` say whether the vector begins or ends its row.
INLINE VF depthwise_pixels(const int padding, const int is_first, const int is_last, const float *x, const int j) {
  if (padding && is_first && j == 0) {
    return __builtin_shufflevector(
        (VF)(0.0f), LOAD(VF, x), 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
  }
  if (padding && is_last && j == 2) {
    return __builtin_shufflevector(LOAD(VF, x), (VF)(0.0f), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
  }
  return LOAD(VF, x + j - padding);
}

// Computes one vector of each of `rows` rows of results from the rows of pixels in `x`. If there are enough registers,
// the pixels are loaded once for all rows of results, otherwise once for each row that reads them.
INLINE void depthwise_tile(
    const int padding, const int is_first, const int is_last, const int rows, const float *const *x, size_t at,
    const float *weights, float *out, size_t out_row) {
  VF sums[DEPTHWISE_ROWS];
  DEPTHWISE_LOOP for (int r = 0; r < rows; r += 1) sums[r] = (VF)(0.0f);
#if CSIMD_REGISTERS >= 32
  VF pixels[DEPTHWISE_ROWS + 2][3];
  DEPTHWISE_LOOP for (int i = 0; i < rows + 2; i += 1) DEPTHWISE_LOOP for (int j = 0; j < 3; j += 1)
      pixels[i][j] = depthwise_pixels(padding, is_first, is_last, x[i] + at, j);
#define PIXELS(i, j) pixels[i][j]
#else
#define PIXELS(i, j) depthwise_pixels(padding, is_first, is_last, x[i] + at, j)
#endif
  DEPTHWISE_LOOP for (int i = 0; i < 3; i += 1) DEPTHWISE_LOOP for (int j = 0; j < 3; j += 1) {
    VF weight = (VF)(weights[3 * i + j]);
    DEPTHWISE_LOOP for (int r = 0; r < rows; r += 1) sums[r] = FMA(PIXELS(r + i, j), weight, sums[r]);
  }
#undef PIXELS
  DEPTHWISE_LOOP for (int r = 0; r < rows; r += 1) STORE(VF, out + at + (size_t)r * out_row, sums[r]);
}

INLINE void depthwise_rows(
    const int padding, const int rows, const float *const *x, const float *weights, float *out, size_t out_row,
    size_t columns) {
  const size_t last = columns - LANES;
  if (last == 0) return depthwise_tile(padding, 1, 1, rows, x, 0, weights, out, out_row);
  depthwise_tile(padding, 1, 0, rows, x, 0, weights, out, out_row);
  for (size_t at = LANES; at < last; at += LANES) depthwise_tile(padding, 0, 0, rows, x, at, weights, out, out_row);
  depthwise_tile(padding, 0, 1, rows, x, last, weights, out, out_row);
}

INLINE void depthwise_plane(
    const int padding, const csimd_depthwise_plane *plane, const float *weights, float *out, size_t out_row,
    size_t rows, size_t columns) {
  // The last tile may recompute rows of the previous tile.
  const size_t height = rows < DEPTHWISE_ROWS ? 1 : DEPTHWISE_ROWS;
  for (size_t row = 0; row < rows; row += height) {
    size_t r = row + height <= rows ? row : rows - height;
    const float *x[DEPTHWISE_ROWS + 2];
    for (size_t i = 0; i < height + 2; i += 1) {
      ptrdiff_t number = plane->first + (ptrdiff_t)(r + i);
      int is_inside = number >= 0 && number < (ptrdiff_t)plane->rows;
      x[i] = is_inside ? plane->x + (size_t)number * plane->row_stride : plane->zeros;
    }
    float *to = out + r * out_row;
    if (height == 1) depthwise_rows(padding, 1, x, weights, to, out_row, columns);
    else depthwise_rows(padding, DEPTHWISE_ROWS, x, weights, to, out_row, columns);
  }
}

static void depthwise_multiply(
    const csimd_depthwise_plane *plane, const float *weights, float *out, size_t out_row, size_t rows, size_t columns) {
  if (plane->padding == 1) depthwise_plane(1, plane, weights, out, out_row, rows, columns);
  else depthwise_plane(0, plane, weights, out, out_row, rows, columns);
}

// Accumulates the weight gradients over 16 columns, one vector of each row. A row of pixels is read once and multiplied
// with three rows of `y`, the gradient of the output. With `is_partial`, only the columns in the mask `fresh` are
// accumulated, because the previous vector included the other columns.
INLINE void depthwise_column(
    const int is_partial, VI fresh, const float *x, size_t x_row, const float *y, size_t y_row, size_t rows,
    float *sums) {
  VF s[3][3], factors[3] = {(VF)(0.0f), (VF)(0.0f), (VF)(0.0f)};
  DEPTHWISE_LOOP for (int i = 0; i < 3; i += 1) DEPTHWISE_LOOP for (int j = 0; j < 3; j += 1)
      s[i][j] = LOAD(VF, sums + (3 * i + j) * LANES);
  for (size_t r = 0; r < rows + 2; r += 1) {
    factors[2] = factors[1];
    factors[1] = factors[0];
    if (r < rows) factors[0] = LOAD(VF, y + r * y_row);
    VF pixels[3];
    DEPTHWISE_LOOP for (int j = 0; j < 3; j += 1) pixels[j] = LOAD(VF, x + r * x_row + j);
    DEPTHWISE_LOOP for (int i = 0; i < 3; i += 1) {
      // Skip if row r − i of y does not exist.
      if (r < (size_t)i || r - (size_t)i >= rows) continue;
      DEPTHWISE_LOOP for (int j = 0; j < 3; j += 1) {
        VF sum = FMA(pixels[j], factors[i], s[i][j]);
        s[i][j] = is_partial ? (fresh ? sum : s[i][j]) : sum;
      }
    }
  }
  DEPTHWISE_LOOP for (int i = 0; i < 3; i += 1) DEPTHWISE_LOOP for (int j = 0; j < 3; j += 1)
      STORE(VF, sums + (3 * i + j) * LANES, s[i][j]);
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
