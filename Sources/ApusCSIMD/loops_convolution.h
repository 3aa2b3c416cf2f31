// Convolutions with stride 1 on padded planes (images of one channel), and their weight gradients. A plane is treated
// as one row of pixels, so that a tap reads a pixel at the same offset for all results, and vectors run over pixels
// without im2col. The rows of the result are as far apart as the padded rows of the plane; the gaps between them get
// values that are not read.
//
//     out[k][p] = Σ_t weights[t][k] · x[p + offsets[t]]      k: channel of the result, p: pixel,
//                                                            t: tap (source channel and kernel position)
//
// The sums of a tile of K channels × B vectors of pixels stay in the registers, which hold CSIMD_REGISTERS vectors of
// 16 floats. K is 1 or an even number up to PLANE_BLOCK.

#define PLANE_TILE(K, B)                                                                                        \
  INLINE void plane_tile_##K##_##B(                                                                             \
      size_t taps, const float *x, const ptrdiff_t *offsets, const float *weights, float *out, size_t stride) { \
    VF sums[K][B];                                                                                              \
    for (int k = 0; k < K; k += 1)                                                                              \
      for (int b = 0; b < B; b += 1) sums[k][b] = (VF)(0.0f);                                                   \
    for (size_t t = 0; t < taps; t += 1) {                                                                      \
      const float *p = x + offsets[t];                                                                          \
      VF pixels[B];                                                                                             \
      for (int b = 0; b < B; b += 1) pixels[b] = LOAD(VF, p + b * LANES);                                       \
      for (int k = 0; k < K; k += 1) {                                                                          \
        VF weight = (VF)(weights[t * K + k]);                                                                   \
        for (int b = 0; b < B; b += 1) sums[k][b] = FMA(pixels[b], weight, sums[k][b]);                         \
      }                                                                                                         \
    }                                                                                                           \
    for (int k = 0; k < K; k += 1)                                                                              \
      for (int b = 0; b < B; b += 1) STORE(VF, out + k * stride + b * LANES, sums[k][b]);                       \
  }
// Computes blocks of B vectors, then of C, then single vectors. The independent sums of a block hide the latency of
// multiply-adds.
#define PLANE_ROW(K, B, C)                                                                                          \
  static void plane_row_##K(                                                                                        \
      size_t taps, const float *x, const ptrdiff_t *offsets, const float *weights, float *out, size_t stride,       \
      size_t vectors) {                                                                                             \
    size_t v = 0;                                                                                                   \
    for (; v + B <= vectors; v += B)                                                                                \
      plane_tile_##K##_##B(taps, x + v * LANES, offsets, weights, out + v * LANES, stride);                         \
    for (; v + C <= vectors; v += C)                                                                                \
      plane_tile_##K##_##C(taps, x + v * LANES, offsets, weights, out + v * LANES, stride);                         \
    for (; v < vectors; v += 1) plane_tile_##K##_1(taps, x + v * LANES, offsets, weights, out + v * LANES, stride); \
  }

// The gradient of the weights, from the gradient y of the result: gradient[k][t] = Σ_p y[k][p] · x[p + offsets[t]], for
// K channels and T taps at a time. Each element of the gradient has 16 partial sums.
#define CORRELATE_TILE(K, T)                                                                                \
  INLINE void correlate_tile_##K##_##T(                                                                     \
      size_t vectors, const float *y, size_t stride, const float *x, const ptrdiff_t *offsets, float *sums, \
      size_t row) {                                                                                         \
    VF s[K][T];                                                                                             \
    for (int k = 0; k < K; k += 1)                                                                          \
      for (int t = 0; t < T; t += 1) s[k][t] = LOAD(VF, sums + k * row + t * LANES);                        \
    const float *taps[T];                                                                                   \
    for (int t = 0; t < T; t += 1) taps[t] = x + offsets[t];                                                \
    for (size_t p = 0; p < vectors * LANES; p += LANES) {                                                   \
      VF factors[K];                                                                                        \
      for (int k = 0; k < K; k += 1) factors[k] = LOAD(VF, y + k * stride + p);                             \
      for (int t = 0; t < T; t += 1) {                                                                      \
        VF pixels = LOAD(VF, taps[t] + p);                                                                  \
        for (int k = 0; k < K; k += 1) s[k][t] = FMA(pixels, factors[k], s[k][t]);                          \
      }                                                                                                     \
    }                                                                                                       \
    for (int k = 0; k < K; k += 1)                                                                          \
      for (int t = 0; t < T; t += 1) STORE(VF, sums + k * row + t * LANES, s[k][t]);                        \
  }
#define CORRELATE_ROW(K, T, U)                                                                                         \
  static void correlate_row_##K(                                                                                       \
      size_t vectors, const float *y, size_t stride, const float *x, const ptrdiff_t *offsets, size_t taps,            \
      float *sums) {                                                                                                   \
    size_t t = 0, row = taps * LANES;                                                                                  \
    for (; t + T <= taps; t += T) correlate_tile_##K##_##T(vectors, y, stride, x, offsets + t, sums + t * LANES, row); \
    for (; t + U <= taps; t += U) correlate_tile_##K##_##U(vectors, y, stride, x, offsets + t, sums + t * LANES, row); \
    for (; t < taps; t += 1) correlate_tile_##K##_1(vectors, y, stride, x, offsets + t, sums + t * LANES, row);        \
  }

// clang-format off
#if CSIMD_REGISTERS >= 32
#define PLANE_BLOCK 8
PLANE_TILE(8, 3) PLANE_TILE(8, 1) PLANE_ROW(8, 3, 1)
PLANE_TILE(6, 4) PLANE_TILE(6, 1) PLANE_ROW(6, 4, 1)
PLANE_TILE(4, 6) PLANE_TILE(4, 2) PLANE_TILE(4, 1) PLANE_ROW(4, 6, 2)
PLANE_TILE(2, 8) PLANE_TILE(2, 3) PLANE_TILE(2, 1) PLANE_ROW(2, 8, 3)
PLANE_TILE(1, 8) PLANE_TILE(1, 4) PLANE_TILE(1, 1) PLANE_ROW(1, 8, 4)
CORRELATE_TILE(4, 5) CORRELATE_TILE(4, 2) CORRELATE_TILE(4, 1) CORRELATE_ROW(4, 5, 2)
CORRELATE_TILE(2, 5) CORRELATE_TILE(2, 4) CORRELATE_TILE(2, 1) CORRELATE_ROW(2, 5, 4)
CORRELATE_TILE(1, 5) CORRELATE_TILE(1, 4) CORRELATE_TILE(1, 1) CORRELATE_ROW(1, 5, 4)
#elif CSIMD_REGISTERS >= 8
#define PLANE_BLOCK 6
PLANE_TILE(6, 1) PLANE_ROW(6, 1, 1)
PLANE_TILE(4, 1) PLANE_ROW(4, 1, 1)
PLANE_TILE(2, 2) PLANE_TILE(2, 1) PLANE_ROW(2, 2, 1)
PLANE_TILE(1, 4) PLANE_TILE(1, 2) PLANE_TILE(1, 1) PLANE_ROW(1, 4, 2)
CORRELATE_TILE(2, 2) CORRELATE_TILE(2, 1) CORRELATE_ROW(2, 2, 1)
CORRELATE_TILE(1, 4) CORRELATE_TILE(1, 2) CORRELATE_TILE(1, 1) CORRELATE_ROW(1, 4, 2)
#else
#define PLANE_BLOCK 2
PLANE_TILE(2, 1) PLANE_ROW(2, 1, 1)
PLANE_TILE(1, 2) PLANE_TILE(1, 1) PLANE_ROW(1, 2, 1)
CORRELATE_TILE(2, 1) CORRELATE_ROW(2, 1, 1)
CORRELATE_TILE(1, 2) CORRELATE_TILE(1, 1) CORRELATE_ROW(1, 2, 1)
#endif
    // clang-format on

    static void plane_multiply(
        size_t channels, size_t taps, const float *x, const ptrdiff_t *offsets, const float *weights, float *out,
        size_t stride, size_t vectors) {
  switch (channels) {
#if CSIMD_REGISTERS >= 32
    case 8: plane_row_8(taps, x, offsets, weights, out, stride, vectors); break;
#endif
#if CSIMD_REGISTERS >= 8
    case 6: plane_row_6(taps, x, offsets, weights, out, stride, vectors); break;
    case 4: plane_row_4(taps, x, offsets, weights, out, stride, vectors); break;
#endif
    case 2: plane_row_2(taps, x, offsets, weights, out, stride, vectors); break;
    default: plane_row_1(taps, x, offsets, weights, out, stride, vectors); break;
  }
}

static void plane_correlate(
    size_t channels, size_t taps, const float *x, const ptrdiff_t *offsets, const float *y, size_t stride,
    size_t vectors, float *sums) {
  size_t k = 0;
#if CSIMD_REGISTERS >= 32
  for (; k + 4 <= channels; k += 4)
    correlate_row_4(vectors, y + k * stride, stride, x, offsets, taps, sums + k * taps * LANES);
#endif
  for (; k + 2 <= channels; k += 2)
    correlate_row_2(vectors, y + k * stride, stride, x, offsets, taps, sums + k * taps * LANES);
  for (; k < channels; k += 1)
    correlate_row_1(vectors, y + k * stride, stride, x, offsets, taps, sums + k * taps * LANES);
}

// Adds each group of 16 sums: the upper half to the lower half, and so on.
static void fold_sums(size_t count, const float *sums, float *result) {
  for (size_t i = 0; i < count; i += 1) fold_sum_f32(LOAD(VF, sums + i * LANES), result + i);
}
#undef PLANE_TILE
#undef PLANE_ROW
#undef CORRELATE_TILE
#undef CORRELATE_ROW
