// Windows of 2 × 2 pixels with stride 2 on float32, eight results at a time.

typedef float eight __attribute__((ext_vector_type(8)));
typedef int32_t eight_masks __attribute__((ext_vector_type(8)));

INLINE int is_pairs(const csimd_windows *w) {
  for (int axis = 0; axis < 3; axis += 1) {
    ptrdiff_t extent = axis == 0 ? 1 : 2;
    if (w->kernel[axis] != extent || w->stride[axis] != extent || w->padding[axis] != 0) return 0;
    if (w->dilation[axis] != 1 || w->output[axis] * extent > w->input[axis]) return 0;
  }
  return 1;
}

INLINE VF load_part(const float *source, ptrdiff_t rest) {
  if (rest >= LANES) return LOAD(VF, source);
  VF r = (VF)(0.0f);
  memcpy(&r, source, (size_t)rest * sizeof(float));
  return r;
}

#define EVEN(v) __builtin_shufflevector(v, v, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD(v) __builtin_shufflevector(v, v, 1, 3, 5, 7, 9, 11, 13, 15)
#define WOVEN(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)
// Whether a comes before b, which stands first: greater, or NaN where b is none.
#define BEATS(a, b) ((a > b) | ((a != a) & (b == b)))

// Calls `body` for eight windows of two rows: i (the first result), rest (numbers left in the rows), and
// their pixels a, b, c, d.
#define FOR_EACH_EIGHT(body)                                                                     \
  for (ptrdiff_t row = 0; row < w->output[0] * w->output[1]; row += 1) {                         \
    ptrdiff_t plane = row / w->output[1], width = w->output[2];                                  \
    ptrdiff_t start = (plane * w->input[1] + 2 * (row - plane * w->output[1])) * w->input[2];    \
    const float *upper = x + start, *lower = upper + w->input[2];                                \
    for (ptrdiff_t i = 0; i < width; i += 8) {                                                   \
      ptrdiff_t rest = 2 * (width - i);                                                          \
      VF u = load_part(upper + 2 * i, rest), l = load_part(lower + 2 * i, rest);                 \
      eight a = EVEN(u), b = ODD(u), c = EVEN(l), d = ODD(l);                                    \
      ptrdiff_t count = rest / 2 < 8 ? rest / 2 : 8;                                             \
      body;                                                                                      \
    }                                                                                            \
  }

INLINE void store_part(float *target, const void *source, ptrdiff_t count) {
  memcpy(target, source, (size_t)count * sizeof(float));
}

static void pool_pairs(const csimd_windows *w, const void *input, void *output) {
  const float *x = input;
  float *y = output;
  FOR_EACH_EIGHT({
    eight m = BEATS(b, a) ? b : a;
    m = BEATS(c, m) ? c : m;
    m = BEATS(d, m) ? d : m;
    if (count == 8) memcpy(y + row * width + i, &m, sizeof m); else store_part(y + row * width + i, &m, count);
  })
}

static void pool_pairs_gradient(const csimd_windows *w, const void *input, const void *gradient,
                                void *result) {
  const float *x = input;
  const float *g = gradient;
  float *to = result;
  if (2 * w->output[1] != w->input[1] || 2 * w->output[2] != w->input[2])
    memset(to, 0, (size_t)(w->input[0] * w->input[1] * w->input[2]) * sizeof(float));
  FOR_EACH_EIGHT({
    eight_masks takes_b = BEATS(b, a);
    eight m = takes_b ? b : a;
    eight_masks takes_c = BEATS(c, m);
    m = takes_c ? c : m;
    eight_masks takes_d = BEATS(d, m);
    eight values = (eight)(0.0f);
    if (count == 8) memcpy(&values, g + row * width + i, sizeof values);
    else memcpy(&values, g + row * width + i, (size_t)count * sizeof(float));
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
    if (count == 8) {
      STORE(VF, first, above);
      STORE(VF, first + w->input[2], below);
    } else {
      store_part(first, &above, 2 * count);
      store_part(first + w->input[2], &below, 2 * count);
    }
  })
}

#undef FOR_EACH_EIGHT
#undef EVEN
#undef ODD
#undef WOVEN
#undef BEATS

static void pool_maximum_any_f32(const csimd_windows *w, const void *input, void *output) {
  if (is_pairs(w)) pool_pairs(w, input, output); else pool_maximum_f32(w, input, output);
}

static void pool_maximum_gradient_any_f32(const csimd_windows *w, const void *input, const void *gradient,
                                          void *result, void *room) {
  if (is_pairs(w)) pool_pairs_gradient(w, input, gradient, result);
  else pool_maximum_gradient_f32(w, input, gradient, result, room);
}
