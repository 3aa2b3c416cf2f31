// Attention weights, computed between the two matrix products of attention: queries · keys, and weights · values. A row
// of the products or weights belongs to one query, and has one number for each key of a block of keys. Included once
// for each floating-point type, after attention/weights.h.

// For each of 16 keys from `at` on, whether the query of a row may attend to it: the key must be below `end`, and its
// entry in `mask` must not be 0.
INLINE MASK FN(attention_open)(const csimd_weights *w, size_t at, size_t end, const uint8_t *mask) {
  VI lanes = (VI){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} + (int32_t)at;
  VI open = lanes < (int32_t)end;
  if (mask != NULL) {
    uint8_t bytes[LANES];
    if (w->mask_step == 1 && at + LANES <= end) {
      memcpy(bytes, mask + at, LANES);
    } else {
      for (size_t i = 0; i < LANES; i += 1) bytes[i] = at + i < end ? mask[(ptrdiff_t)(at + i) * w->mask_step] : 0;
    }
    typedef uint8_t byte16 __attribute__((ext_vector_type(16), aligned(1), may_alias));
    open &= __builtin_convertvector(*(const byte16 *)bytes, VI) != 0;
  }
  return MASK_OF(open);
}

// The number of keys, counted from the first key of the block, to which the query of a row may attend if no mask
// excludes them.
INLINE size_t FN(attention_end)(const csimd_weights *w, size_t row) {
  int64_t end = w->first_end + (int64_t)row;
  return end<0 ? 0 : end>(int64_t) w->keys ? w->keys : (size_t)end;
}

// The random words for the weights of a row's keys below `end`, one 32-bit word for each key, or NULL without dropout.
INLINE const uint32_t *FN(attention_words)(const csimd_weights *w, size_t row, size_t end) {
  if (w->words == NULL) return NULL;
  philox(end, w->words, w->first_word + row * w->word_row, w->seed, w->counter);
  return w->words;
}

// The mask of the weights that dropout keeps.
INLINE MASK FN(attention_kept)(const csimd_weights *w, const uint32_t *words) {
  return MASK_OF(KEEPS(LOAD(VU, words), (int32_t)w->bound));
}

// The values that are added to the scaled dot products of a query with the 16 keys from `at` on; 0 for keys from `end`
// on.
INLINE V FN(attention_added)(const csimd_weights *w, size_t at, size_t end, const SCALAR *added) {
  if (w->added_step == 1 && at + LANES <= end) return LOAD(V, added + at);
  SCALAR numbers[LANES];
  for (size_t i = 0; i < LANES; i += 1) numbers[i] = at + i < end ? added[(ptrdiff_t)(at + i) * w->added_step] : 0;
  return LOAD(V, numbers);
}

// The scores of 16 keys from `at` on, from the dot products of a query and the keys.
INLINE V FN(attention_scores)(const csimd_weights *w, size_t at, size_t end, V dots, const SCALAR *added) {
  V scale = (V)((SCALAR)w->scale);
  V scores = FN(softmax_score)(dots, scale, (V)(-0.0f));
  if (added != NULL) scores = FN(softmax_score)(dots, scale, FN(attention_added)(w, at, end, added));
  return scores;
}

INLINE void FN(attention_multiply)(size_t count, SCALAR *row, SCALAR factor) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) STORE(V, row + i, LOAD(V, row + i) * factor);
  for (; i < count; i += 1) row[i] *= factor;
}

INLINE SCALAR FN(attention_largest)(V v) {
  v = v > FOLDED(v, 8) ? v : FOLDED(v, 8);
  v = v > FOLDED(v, 4) ? v : FOLDED(v, 4);
  v = v > FOLDED(v, 2) ? v : FOLDED(v, 2);
  v = v > FOLDED(v, 1) ? v : FOLDED(v, 1);
  return v[0];
}

INLINE SCALAR FN(attention_total)(V v) {
  SCALAR total;
  FN(fold_sum)(v, &total);
  return total;
}

// Converts the products of a block of keys to unnormalized weights (online softmax): if the maximum of a row grows, its
// sum and its output over the previous blocks are rescaled to the new maximum.
static void FN(attention_weights)(const csimd_weights *w, void *products, void *maxima, void *sums, void *output) {
  SCALAR *row = products, *maximum = maxima, *sum = sums, *total = output;
  const uint8_t *mask = w->mask;
  const SCALAR *added = w->added;
  const V lowest = LEAST;
  for (size_t r = 0; r < w->rows; r += 1) {
    size_t end = FN(attention_end)(w, r);
    const uint32_t *words = FN(attention_words)(w, r, end);
    V top = lowest;
    for (size_t i = 0; i < w->keys; i += LANES) {
      V x = FN(attention_scores)(w, i, end, LOAD(V, row + i), added);
      x = SELECT(FN(attention_open)(w, i, end, mask), x, lowest);
      STORE(V, row + i, x);
      top = x > top ? x : top;
    }
    SCALAR old = maximum[r], found = FN(attention_largest)(top);
    SCALAR now = found > old ? found : old;
    V shifted = FN(softmax_shift)((V)(now));
    // `shift` is a scalar, because float64 exponentials are calls of libm, and a vector would be spilled around each
    // call.
    SCALAR shift = shifted[0];
    V part = (V)(0);
    for (size_t i = 0; i < w->keys; i += LANES) {
      V p = FN(softmax_weight)(LOAD(V, row + i), (V)(shift));
      part += p;
      if (words != NULL) p = SELECT(FN(attention_kept)(w, words + i), p, (V)(0));
      STORE(V, row + i, p);
    }
    SCALAR factor = 1;
    if (now > old) {
      V change = FN(softmax_weight)((V)(old), (V)(shift));
      factor = change[0];
      FN(attention_multiply)(w->width, total, factor);
    }
    sum[r] = sum[r] * factor + FN(attention_total)(part);
    maximum[r] = now;
    row += w->stride;
    total += w->output_stride;
    if (mask != NULL) mask += w->mask_row;
    if (added != NULL) added += w->added_row;
  }
}

// Divides each output row by the sum of its weights, and replaces the maximum of the row by the log-sum-exp.
static void FN(attention_finish)(const csimd_weights *w, const void *sums, void *maxima, void *output) {
  const SCALAR *sum = sums;
  SCALAR *maximum = maxima, *total = output;
  for (size_t r = 0; r < w->rows; r += 1) {
    // `softmax_logarithm` expects the shift of `attention_weights` as its first argument. The maximum equals this
    // shift, unless the query may attend to no key. In that case the sum is 0, and the result does not depend on the
    // shift.
    V logarithm = FN(softmax_logarithm)((V)(maximum[r]), (V)(sum[r]));
    maximum[r] = logarithm[0];
    FN(attention_multiply)(w->width, total, sum[r] == 0 ? 0 : (SCALAR)w->kept_factor / sum[r]);
    total += w->output_stride;
  }
}

// Converts the products of a block of keys to weights, and the gradients of the weights to gradients of the products.
static void FN(attention_gradients)(
    const csimd_weights *w, const void *logarithms, const void *dots, void *products, void *gradients) {
  const SCALAR *logarithm = logarithms, *dot = dots;
  SCALAR *row = products, *gradient = gradients;
  const uint8_t *mask = w->mask;
  const SCALAR *added = w->added;
  for (size_t r = 0; r < w->rows; r += 1) {
    size_t end = FN(attention_end)(w, r);
    const uint32_t *words = FN(attention_words)(w, r, end);
    for (size_t i = 0; i < w->keys; i += LANES) {
      MASK open = FN(attention_open)(w, i, end, mask);
      V x = FN(attention_scores)(w, i, end, LOAD(V, row + i), added);
      V p = SELECT(open, FN(softmax_weight)(x, (V)(logarithm[r])), (V)(0));
      V d = LOAD(V, gradient + i), factor = (V)(1);
      if (words != NULL) factor = SELECT(FN(attention_kept)(w, words + i), (V)((SCALAR)w->kept_factor), (V)(0));
      STORE(V, row + i, p * factor);
      V g = FN(softmax_gradient)(p, d * factor, (V)(dot[r]), (V)((SCALAR)w->scale));
      STORE(V, gradient + i, SELECT(open, g, (V)(0)));
    }
    row += w->stride;
    gradient += w->stride;
    if (mask != NULL) mask += w->mask_row;
    if (added != NULL) added += w->added_row;
  }
}

// The dot product of each row of one array with the same row of another array.
static void FN(attention_dots)(
    size_t rows, size_t width, const void *left, size_t left_stride, const void *right, size_t right_stride,
    void *dots) {
  const SCALAR *a = left, *b = right;
  for (size_t r = 0; r < rows; r += 1) {
    V part = (V)(0);
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) part += LOAD(V, a + i) * LOAD(V, b + i);
    SCALAR sum = FN(attention_total)(part);
    for (; i < width; i += 1) sum += a[i] * b[i];
    ((SCALAR *)dots)[r] = sum;
    a += left_stride;
    b += right_stride;
  }
}
