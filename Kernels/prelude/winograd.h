// The transforms of Winograd convolutions with 3 × 3 taps, in tiles of 4 × 4 results: F(4 × 4, 3 × 3) with the points
// 0, ±1, ±2, ∞ (Lavin, Gray: "Fast algorithms for convolutional neural networks", 2015):
//
//     Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A,      ∂g = Gᵀ [(Bᵀ d B) ⊙ (A ∂Y Aᵀ)] G
//
// where g are the weights, d the pixels, Y the results, and ∂ denotes the gradient of a value. A, B and G are constant
// matrices, and ⊙ is the elementwise product.
//
// A line is a row or a column of a matrix. A function that transforms a line reads registers that are `step` registers
// apart, and writes registers that are `to_step` registers apart. The functions at the end transform a whole matrix,
// and may overwrite their input.
// Included after the OpenCL dialect of kernels for CPUs, or after the dialect of the CPU device's C loops.

// Bᵀ: six pixels of a line to six elements.
INLINE void winograd_patch_line(const VF *d, int step, VF *to, int to_step) {
  VF a = FMA((VF)(-4.0f), d[2 * step], d[4 * step]), b = FMA((VF)(-4.0f), d[step], d[3 * step]);
  VF c = d[4 * step] - d[2 * step], e = d[3 * step] - d[step];
  to[0] = FMA((VF)(4.0f), d[0], FMA((VF)(-5.0f), d[2 * step], d[4 * step]));
  to[to_step] = a + b;
  to[2 * to_step] = a - b;
  to[3 * to_step] = FMA((VF)(2.0f), e, c);
  to[4 * to_step] = FMA((VF)(-2.0f), e, c);
  to[5 * to_step] = FMA((VF)(4.0f), d[step], FMA((VF)(-5.0f), d[3 * step], d[5 * step]));
}

// Aᵀ: six sums of products to four results.
INLINE void winograd_result_line(const VF *m, int step, VF *to, int to_step) {
  VF s = m[step] + m[2 * step], d = m[step] - m[2 * step];
  VF s2 = m[3 * step] + m[4 * step], d2 = m[3 * step] - m[4 * step];
  to[0] = m[0] + s + s2;
  to[to_step] = FMA((VF)(2.0f), d2, d);
  to[2 * to_step] = FMA((VF)(4.0f), s2, s);
  to[3 * to_step] = FMA((VF)(8.0f), d2, d) + m[5 * step];
}

// A: four gradients of results to six elements.
INLINE void winograd_gradient_line(const VF *y, int step, VF *to, int to_step) {
  VF even = y[0] + y[2 * step], odd = y[step] + y[3 * step];
  VF even2 = FMA((VF)(4.0f), y[2 * step], y[0]), odd2 = FMA((VF)(8.0f), y[3 * step], y[step] + y[step]);
  to[0] = y[0];
  to[to_step] = even + odd;
  to[2 * to_step] = even - odd;
  to[3 * to_step] = even2 + odd2;
  to[4 * to_step] = even2 - odd2;
  to[5 * to_step] = y[3 * step];
}

// G: three weights to six elements.
INLINE void winograd_weight_line(const VF *g, int step, VF *to, int to_step) {
  VF outer = (g[0] + g[2 * step]) * (VF)(-1.0f / 6), inner = g[step] * (VF)(1.0f / 6);
  VF far = FMA((VF)(1.0f / 24), g[0], g[2 * step] * (VF)(1.0f / 6)), near = g[step] * (VF)(1.0f / 12);
  to[0] = g[0] * (VF)(0.25f);
  to[to_step] = outer - inner;
  to[2 * to_step] = outer + inner;
  to[3 * to_step] = far + near;
  to[4 * to_step] = far - near;
  to[5 * to_step] = g[2 * step];
}

// Gᵀ: six sums to the gradients of three weights.
INLINE void winograd_weight_gradient_line(const VF *m, int step, VF *to, int to_step) {
  VF s = (m[step] + m[2 * step]) * (VF)(-1.0f / 6), d = (m[2 * step] - m[step]) * (VF)(1.0f / 6);
  VF s2 = m[3 * step] + m[4 * step], d2 = m[3 * step] - m[4 * step];
  to[0] = FMA((VF)(0.25f), m[0], FMA((VF)(1.0f / 24), s2, s));
  to[to_step] = FMA((VF)(1.0f / 12), d2, d);
  to[2 * to_step] = FMA((VF)(1.0f / 6), s2, s) + m[5 * step];
}

// A transform of n × n registers to m × m registers: of the columns first, then of the rows.
#define WINOGRAD_TRANSFORM(name, n, m)                                                          \
  INLINE void name(const VF *from, VF *to) {                                                    \
    VF between[(m) * (n)];                                                                      \
    UNROLL for (int i = 0; i < (n); i += 1) name##_line(from + i, n, between + i, n);           \
    UNROLL for (int i = 0; i < (m); i += 1) name##_line(between + i * (n), 1, to + i * (m), 1); \
  }

WINOGRAD_TRANSFORM(winograd_patch, 6, 6)
WINOGRAD_TRANSFORM(winograd_result, 6, 4)
WINOGRAD_TRANSFORM(winograd_gradient, 4, 6)
WINOGRAD_TRANSFORM(winograd_weight, 3, 6)
WINOGRAD_TRANSFORM(winograd_weight_gradient, 6, 3)

#undef WINOGRAD_TRANSFORM
