// Maximum pooling and its gradient for 2 × 2 windows with stride 2 on float32, eight results at a time. For other
// windows, the functions `…_any_f32` call the loops of loops_pooling.h.

typedef float eight __attribute__((ext_vector_type(8)));
typedef int32_t eight_masks __attribute__((ext_vector_type(8)));

// Whether the windows are pairs: 2 × 2 pixels inside the input, with stride 2, dilation 1 and no padding.
INLINE int is_pairs(const csimd_windows *w) {
  for (int axis = 0; axis < 3; axis += 1) {
    ptrdiff_t extent = axis == 0 ? 1 : 2;
    if (w->kernel[axis] != extent || w->stride[axis] != extent || w->padding[axis] != 0) return 0;
    if (w->dilation[axis] != 1 || w->output[axis] * extent > w->input[axis]) return 0;
  }
  return 1;
}

#define EVEN(v) __builtin_shufflevector(v, v, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD(v) __builtin_shufflevector(v, v, 1, 3, 5, 7, 9, 11, 13, 15)
#define WOVEN(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)

// Calls `body` once for every eight neighboring windows, with
//   y, i         the index of the first result of the row, and the column of the first of the eight windows
//   u, l         the 16 pixels in the upper row and in the lower row of the windows
//   a, b, c, d   eight pixels each: upper left, upper right, lower left and lower right in the windows
//   count        8, or the number of results in a row if it is smaller
// The loads may read up to 15 pixels past the end of the input.
#define FOR_EACH_EIGHT(body)                                                          \
  ptrdiff_t width = w->output[2], pixels = w->input[2], y = 0;                        \
  for (ptrdiff_t z = 0; z < w->output[0]; z += 1)                                     \
    for (ptrdiff_t row = 0; row < w->output[1]; row += 1, y += width) {               \
      ptrdiff_t start = (z * w->input[1] + 2 * row) * pixels;                         \
      for (ptrdiff_t group = 0; group < width; group += 8) {                          \
        /* The last eight windows of a row may overlap the eight before them. */      \
        ptrdiff_t i = group + 8 > width && width >= 8 ? width - 8 : group;            \
        VF u = LOAD(VF, x + start + 2 * i), l = LOAD(VF, x + start + pixels + 2 * i); \
        eight a = EVEN(u), b = ODD(u), c = EVEN(l), d = ODD(l);                       \
        size_t count = width < 8 ? (size_t)width : 8;                                 \
        body;                                                                         \
      }                                                                               \
    }

static void pool_pairs(const csimd_windows *w, const void *input, void *output) {
  const float *x = input;
  float *to = output;
  ptrdiff_t result_size = w->output[0] * w->output[1] * w->output[2];
  FOR_EACH_EIGHT({
    eight m = PRECEDES_MAX(b, a) ? b : a;
    m = PRECEDES_MAX(c, m) ? c : m;
    m = PRECEDES_MAX(d, m) ? d : m;
    // If a row has fewer than eight results, the store writes past the end of the row. The next row overwrites these
    // elements.
    if (y + i + 8 <= result_size) memcpy(to + y + i, &m, sizeof m);
    else copy_part_4(to + y + i, &m, count);
  })
}

static void pool_pairs_gradient(const csimd_windows *w, const void *input, const void *gradient, void *result) {
  const float *x = input;
  const float *g = gradient;
  float *to = result;
  ptrdiff_t input_size = w->input[0] * w->input[1] * w->input[2];
  eight_masks count_up8 = {0, 1, 2, 3, 4, 5, 6, 7};
  if (2 * w->output[1] != w->input[1] || 2 * w->output[2] != w->input[2])
    memset(to, 0, (size_t)input_size * sizeof(float));
  FOR_EACH_EIGHT({
    eight_masks takes_b = PRECEDES_MAX(b, a);
    eight m = takes_b ? b : a;
    eight_masks takes_c = PRECEDES_MAX(c, m);
    m = takes_c ? c : m;
    eight_masks takes_d = PRECEDES_MAX(d, m);
    eight values;
    memcpy(&values, g + y + i, sizeof values);
    values = count_up8 < (int32_t)count ? values : (eight)(0.0f);
    eight zero = (eight)(0.0f);
    eight in_d = takes_d ? values : zero;
    eight left = takes_d ? zero : values;
    eight in_c = takes_c ? left : zero;
    left = takes_c ? zero : left;
    eight in_b = takes_b ? left : zero;
    eight in_a = takes_b ? zero : left;
    VF above = WOVEN(in_a, in_b);
    VF below = WOVEN(in_c, in_d);
    float *first = to + start + 2 * i;
    // If a row has fewer than eight windows, the stores write zeros past its end; the next rows overwrite them.
    if (count == 8 || start + pixels + LANES <= input_size) {
      STORE(VF, first, above);
      STORE(VF, first + w->input[2], below);
    } else {
      copy_part_4(first, &above, 2 * count);
      copy_part_4(first + w->input[2], &below, 2 * count);
    }
  })
}

#undef FOR_EACH_EIGHT
#undef EVEN
#undef ODD
#undef WOVEN

static void pool_maximum_any_f32(const csimd_windows *w, const void *input, void *output) {
  if (is_pairs(w)) pool_pairs(w, input, output);
  else pool_maximum_f32(w, input, output);
}

static void pool_maximum_gradient_any_f32(
    const csimd_windows *w, const void *input, const void *gradient, void *result, void *scratch) {
  if (is_pairs(w)) pool_pairs_gradient(w, input, gradient, result);
  else pool_maximum_gradient_f32(w, input, gradient, result, scratch);
}
