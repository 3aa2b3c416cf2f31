// Pooling of one plane (the pixels of one channel): for each row of the result and each tap (a position in the window),
// a loop along the row. Included once for each lane (arithmetic type), with SCALAR and LANE defined, after lane.h.

// Runs `body` for each tap of row `row` of the result, except taps whose row of pixels is outside of the plane. In
// `body`, `tap` is the index of the tap, `part` is the span of results for which the tap reads a pixel inside the
// plane, and `from` is the offset of the first of these pixels.
#define FOR_EACH_TAP(row, body)                                                 \
  ptrdiff_t tap = 0;                                                            \
  for (ptrdiff_t kz = 0; kz < w->kernel[0]; kz += 1)                            \
    for (ptrdiff_t ky = 0; ky < w->kernel[1]; ky += 1) {                        \
      ptrdiff_t z, y;                                                           \
      int is_inside = csimd_outer_position(w, 0, (row) / w->output[1], kz, &z); \
      is_inside &= csimd_outer_position(w, 1, (row) % w->output[1], ky, &y);    \
      for (ptrdiff_t kx = 0; kx < w->kernel[2]; kx += 1, tap += 1) {            \
        if (!is_inside) continue;                                               \
        csimd_span part = csimd_span_of(w, 2, kx);                              \
        ptrdiff_t from = (z * w->input[1] + y) * w->input[2] + part.start;      \
        body;                                                                   \
      }                                                                         \
    }
// Runs `body` for each result `i` of `part`; `at` is the offset of the pixel that the tap reads for it. With stride 1,
// these pixels are contiguous, and the loop is vectorized.
#define FOR_EACH_PIXEL(body)                                                                        \
  if (w->stride[2] == 1) {                                                                          \
    _Pragma("clang loop vectorize(enable)") for (ptrdiff_t i = part.first; i < part.last; i += 1) { \
      ptrdiff_t at = from + i - part.first;                                                         \
      body                                                                                          \
    }                                                                                               \
  } else {                                                                                          \
    for (ptrdiff_t i = part.first, at = from; i < part.last; i += 1, at += w->stride[2]) body       \
  }
#define ROW_COUNT (w->output[0] * w->output[1])

// The greatest pixel of each window of row `row` of the result, and the pixel's index in the plane, or -1 for a window
// without a pixel inside the plane. Of equal pixels, the first is taken; NaN is the greatest.
static void FN(pool_row)(const csimd_windows *w, const SCALAR *x, ptrdiff_t row, SCALAR *best, int32_t *indices) {
  ptrdiff_t width = w->output[2];
  for (ptrdiff_t i = 0; i < width; i += 1) indices[i] = -1;
  FOR_EACH_TAP(row, {FOR_EACH_PIXEL({
                 SCALAR a = x[at];
                 SCALAR b = best[i];
                 int better = OR_PRECEDES_MAX(indices[i] < 0, a, b);
                 best[i] = better ? a : b;
                 indices[i] = better ? (int32_t)at : indices[i];
               })})
}

static void FN(pool_maximum)(const csimd_windows *w, const void *input, void *output) {
  const SCALAR *x = input;
  SCALAR *y_row = output;
  for (ptrdiff_t row = 0; row < ROW_COUNT; row += 1, y_row += w->output[2]) {
    V least = LEAST;
    for (ptrdiff_t i = 0; i < w->output[2]; i += 1) y_row[i] = least[0];
    FOR_EACH_TAP(row, {FOR_EACH_PIXEL({
                   SCALAR a = x[at];
                   y_row[i] = IS_MAX(a, y_row[i]) ? a : y_row[i];
                 })})
  }
}

static void FN(pool_maximum_gradient)(
    const csimd_windows *w, const void *input, const void *gradient, void *result, void *scratch) {
  const SCALAR *g = gradient;
  SCALAR *to = result;
  ptrdiff_t width = w->output[2];
  SCALAR *best = scratch;
  int32_t *indices = (int32_t *)(best + width);
  memset(to, 0, (size_t)(w->input[0] * w->input[1] * w->input[2]) * sizeof(SCALAR));
  for (ptrdiff_t row = 0; row < ROW_COUNT; row += 1, g += width) {
    FN(pool_row)(w, input, row, best, indices);
    for (ptrdiff_t i = 0; i < width; i += 1)
      if (indices[i] >= 0) to[indices[i]] += g[i];
  }
}

// For each window, the element of `values` at the index of the greatest pixel of `input`, or 0 without such a pixel.
static void FN(pool_selection)(
    const csimd_windows *w, const void *input, const void *values, void *result, void *scratch) {
  const SCALAR *v = values;
  SCALAR *to = result;
  ptrdiff_t width = w->output[2];
  SCALAR *best = scratch;
  int32_t *indices = (int32_t *)(best + width);
  for (ptrdiff_t row = 0; row < ROW_COUNT; row += 1, to += width) {
    FN(pool_row)(w, input, row, best, indices);
    for (ptrdiff_t i = 0; i < width; i += 1) to[i] = indices[i] >= 0 ? v[indices[i]] : 0;
  }
}

// The number of pixels of each window of row `row` of the result: with `counts_padding` all pixels, otherwise only the
// pixels inside the plane.
static void FN(pool_counts)(const csimd_windows *w, ptrdiff_t row, int counts_padding, int32_t *counts) {
  int32_t all = (int32_t)(w->kernel[0] * w->kernel[1] * w->kernel[2]);
  for (ptrdiff_t i = 0; i < w->output[2]; i += 1) counts[i] = counts_padding ? all : 0;
  if (counts_padding) return;
  FOR_EACH_TAP(row, {
    (void)from;
    for (ptrdiff_t i = part.first; i < part.last; i += 1) counts[i] += 1;
  })
}

static void FN(pool_average)(
    const csimd_windows *w, const void *input, int counts_padding, void *output, void *scratch) {
  const SCALAR *x = input;
  SCALAR *to = output;
  int32_t *counts = scratch;
  for (ptrdiff_t row = 0; row < ROW_COUNT; row += 1, to += w->output[2]) {
    FN(pool_counts)(w, row, counts_padding, counts);
    for (ptrdiff_t i = 0; i < w->output[2]; i += 1) to[i] = 0;
    FOR_EACH_TAP(row, {FOR_EACH_PIXEL({ to[i] += x[at]; })})
    for (ptrdiff_t i = 0; i < w->output[2]; i += 1) to[i] = counts[i] ? to[i] / (SCALAR)counts[i] : 0;
  }
}

static void FN(pool_average_gradient)(
    const csimd_windows *w, const void *gradient, int counts_padding, void *result, void *scratch) {
  const SCALAR *g = gradient;
  SCALAR *to = result;
  SCALAR *share = scratch;
  int32_t *counts = (int32_t *)(share + w->output[2]);
  memset(to, 0, (size_t)(w->input[0] * w->input[1] * w->input[2]) * sizeof(SCALAR));
  for (ptrdiff_t row = 0; row < ROW_COUNT; row += 1, g += w->output[2]) {
    FN(pool_counts)(w, row, counts_padding, counts);
    for (ptrdiff_t i = 0; i < w->output[2]; i += 1) share[i] = counts[i] ? g[i] / (SCALAR)counts[i] : 0;
    FOR_EACH_TAP(row, {FOR_EACH_PIXEL({ to[at] += share[i]; })})
  }
}

#undef FOR_EACH_TAP
#undef FOR_EACH_PIXEL
#undef ROW_COUNT
