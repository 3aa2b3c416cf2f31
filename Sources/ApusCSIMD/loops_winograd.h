// Convolutions of 3 × 3 taps with stride 1 on tiles of 4 × 4 results (Lavin, Gray: "Fast algorithms for convolutional
// neural networks", 2015), by the transforms of Kernels/prelude/winograd.h. The functions here only transform. Between
// the transforms, the caller computes one matrix product, whose axes are channels and tiles, for each of the 36
// positions of the Winograd domain. Images have channels last; a vector holds 16 channels.

#include "../../Kernels/prelude/winograd.h"

#define POSITIONS 36

// Runs the body for each tile. In the body, `image` is the index of the tile's image, and `top` and `left` are the row
// and the column of the tile's first result.
#define FOR_EACH_TILE(...)                                                                           \
  for (size_t tile = first; tile < first + count; tile += 1) {                                       \
    size_t image = tile / (w->tiles_y * w->tiles_x), inner = tile % (w->tiles_y * w->tiles_x);       \
    ptrdiff_t top = (ptrdiff_t)(inner / w->tiles_x * 4), left = (ptrdiff_t)(inner % w->tiles_x * 4); \
    __VA_ARGS__                                                                                      \
  }

static void winograd_patches(
    const csimd_winograd *w, size_t first, size_t count, const float *images, float *to, size_t distance,
    size_t pitch) {
  ptrdiff_t height = (ptrdiff_t)w->height, width = (ptrdiff_t)w->width;
  FOR_EACH_TILE({
    const float *from = images + image * w->height * w->width * w->channels;
    for (size_t c = 0; c < w->channels; c += LANES) {
      VF d[POSITIONS];
      UNROLL for (int i = 0; i < POSITIONS; i += 1) {
        ptrdiff_t y = top - w->lead_y + i / 6, x = left - w->lead_x + i % 6;
        int is_inside = (y >= 0) & (y < height) & (x >= 0) & (x < width);
        d[i] = is_inside ? LOAD(VF, from + (y * width + x) * (ptrdiff_t)w->channels + (ptrdiff_t)c) : (VF)(0.0f);
      }
      winograd_patch(d, d);
      float *at = to + (tile - first) * pitch + c;
      UNROLL for (int i = 0; i < POSITIONS; i += 1) STORE(VF, at + (size_t)i * distance, d[i]);
    }
  })
}

static void winograd_results(
    const csimd_winograd *w, size_t first, size_t count, const float *products, size_t distance, size_t pitch,
    float *results, size_t line, size_t pixel) {
  FOR_EACH_TILE({
    (void)image;
    for (size_t c = 0; c < w->channels; c += LANES) {
      VF m[POSITIONS], y[16];
      const float *at = products + (tile - first) * pitch + c;
      UNROLL for (int i = 0; i < POSITIONS; i += 1) m[i] = LOAD(VF, at + (size_t)i * distance);
      winograd_result(m, y);
      // `results` points to the start of the row of pixels in which the first tile begins.
      ptrdiff_t line_of = top - (ptrdiff_t)(first % (w->tiles_y * w->tiles_x) / w->tiles_x * 4);
      UNROLL for (int i = 0; i < 16; i += 1) {
        ptrdiff_t row = i / 4, column = i % 4;
        if (top + row < (ptrdiff_t)w->height && left + column < (ptrdiff_t)w->width)
          STORE(VF, results + (line_of + row) * (ptrdiff_t)line + (left + column) * (ptrdiff_t)pixel + c, y[i]);
      }
    }
  })
}

static void winograd_gradients(
    const csimd_winograd *w, size_t first, size_t count, const float *gradients, float *to, size_t distance,
    size_t pitch){FOR_EACH_TILE({
  const float *from = gradients + image * w->height * w->width * w->channels;
  for (size_t c = 0; c < w->channels; c += LANES) {
    VF y[16], z[POSITIONS];
    UNROLL for (int i = 0; i < 16; i += 1) {
      size_t row = (size_t)top + i / 4, column = (size_t)left + i % 4;
      int is_inside = (row < w->height) & (column < w->width);
      y[i] = is_inside ? LOAD(VF, from + (row * w->width + column) * w->channels + c) : (VF)(0.0f);
    }
    winograd_gradient(y, z);
    float *at = to + (tile - first) * pitch + c;
    UNROLL for (int i = 0; i < POSITIONS; i += 1) STORE(VF, at + (size_t)i * distance, z[i]);
  }
})}
#undef FOR_EACH_TILE

// Weights are stored as [result channel][source channel][tap]. The gradient of the input is a convolution in which the
// two kinds of channels swap their roles, so it reads the same array as [source channel][result channel][tap]. Vectors
// run over result channels.
#define TAPS 9

static void winograd_weights(
    size_t rows, const float *weights, ptrdiff_t column, ptrdiff_t row, int is_flipped, float *to, size_t distance,
    size_t pitch) {
  for (size_t first = 0; first < rows; first += LANES) {
    float lines[LANES * TAPS][LANES];
    size_t count = rows - first < LANES ? rows - first : LANES;
    if (row == TAPS) {
      transpose_4(count * TAPS, LANES, weights + first * TAPS, column, lines, LANES);
    } else {
      for (size_t r = 0; r < count; r += 1)
        transpose_4(TAPS, LANES, weights + (ptrdiff_t)(first + r) * row, column, lines[r * TAPS], LANES);
    }
    for (size_t r = 0; r < count; r += 1, to += pitch) {
      VF g[TAPS], u[POSITIONS];
      UNROLL for (int i = 0; i < TAPS; i += 1) g[i] = LOAD(VF, lines[r * TAPS + (size_t)(is_flipped ? 8 - i : i)]);
      winograd_weight(g, u);
      UNROLL for (int i = 0; i < POSITIONS; i += 1) STORE(VF, to + (size_t)i * distance, u[i]);
    }
  }
}

static void winograd_weight_gradients(
    size_t rows, const float *sums, size_t distance, size_t pitch, float *gradients, ptrdiff_t column) {
  for (size_t first = 0; first < rows; first += LANES) {
    float lines[LANES * TAPS][LANES];
    size_t count = rows - first < LANES ? rows - first : LANES;
    for (size_t r = 0; r < count; r += 1, sums += pitch) {
      VF m[POSITIONS], g[TAPS];
      UNROLL for (int i = 0; i < POSITIONS; i += 1) m[i] = LOAD(VF, sums + (size_t)i * distance);
      winograd_weight_gradient(m, g);
      UNROLL for (int i = 0; i < TAPS; i += 1) STORE(VF, lines[r * TAPS + (size_t)i], g[i]);
    }
    transpose_4(LANES, count * TAPS, lines, LANES, gradients + first * TAPS, column);
  }
}
#undef TAPS
