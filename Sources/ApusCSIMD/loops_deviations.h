// For one lane, the sums of the differences from a second operand, such as the mean, and the sums of the squared
// differences, computed in one pass. loops_reduce.h includes this file.

/// `sum_squared_difference` and `sum_difference` in one pass.
static void FN(take_deviations)(size_t n, void *squares, void *sums, const csimd_operand *values, const char *ahead) {
  FN(sums) *q = squares, *s = sums;
  const char *x = values[0].data;
  size_t step = values[0].step * LANES * BYTES_OF(V);
  V shift = LOAD(V, values[1].data);
  uint64_t groups = s->groups;
  V square[4], sum[4];
  for (int k = 0; k < 4; k += 1) {
    square[k] = q->part[k];
    sum[k] = s->part[k];
  }
  for (size_t i = 0; i < n;) {
    if (groups > 0 && groups % CSIMD_CHAIN == 0) {
      FN(carry_sum)(q, groups, FN(chain_sum)(square));
      FN(carry_sum)(s, groups, FN(chain_sum)(sum));
      for (int k = 0; k < 4; k += 1) square[k] = sum[k] = (V)(0);
    }
    size_t whole = (n - i) / (4 * LANES), chain_left = CSIMD_CHAIN - groups % CSIMD_CHAIN;
    if (whole > chain_left) whole = chain_left;
    groups += whole;
    V squares_run[4], sums_run[4];
    for (int k = 0; k < 4; k += 1) {
      squares_run[k] = square[k];
      sums_run[k] = sum[k];
    }
    for (size_t end = i + whole * 4 * LANES; i < end; i += 4 * LANES) {
      FN(prefetch_group)(x, ahead, i, CSIMD_DEVIATION_LINES);
      for (int k = 0; k < 4; k += 1, x += step) {
        V a = LOAD(V, x) - shift;
        squares_run[k] = FN(combine_sum)(squares_run[k], a * a);
        sums_run[k] = FN(combine_sum)(sums_run[k], a);
      }
    }
    for (int k = 0; k < 4; k += 1) {
      square[k] = squares_run[k];
      sum[k] = sums_run[k];
    }
    if (whole == chain_left || i == n) continue;
    for (int k = 0; i < n; i += LANES, k += 1, x += step) {
      size_t rest = n - i < LANES ? n - i : LANES;
      V a = (V)(0), last = (V)(0);
      if (rest == LANES) a = LOAD(V, x);
      else COPY_SOME(V)(&a, x, rest);
      a = a - shift;
      if (rest == LANES) last = a;
      else COPY_SOME(V)(&last, &a, rest);
      square[k] = FN(combine_sum)(square[k], last * last);
      sum[k] = FN(combine_sum)(sum[k], last);
    }
    groups += 1;
  }
  for (int k = 0; k < 4; k += 1) {
    q->part[k] = square[k];
    s->part[k] = sum[k];
  }
  q->groups = s->groups = groups;
}

/// The results of `take_deviations` for a whole row. A row of whole vectors that fits into one chain stays in
/// registers.
static void FN(deviation_row)(
    size_t n, const csimd_operand *values, void *square_result, void *sum_result, const char *ahead) {
  V shift = FN(repeated)(&values[1]);
  if (n % LANES != 0 || n > CSIMD_CHAIN * 4 * LANES) {
    FN(sums) squares, sums;
    FN(begin_sum)(&squares);
    FN(begin_sum)(&sums);
    FN(take_deviations)(n, &squares, &sums, (csimd_operand[]){values[0], {&shift, 0}}, ahead);
    FN(finish_sum)(&squares, square_result);
    FN(finish_sum)(&sums, sum_result);
    return;
  }
  const char *x = values[0].data;
  V square[4] = {(V)(0), (V)(0), (V)(0), (V)(0)}, sum[4] = {(V)(0), (V)(0), (V)(0), (V)(0)};
  size_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    FN(prefetch_group)(x, ahead, i, CSIMD_DEVIATION_LINES);
    for (int k = 0; k < 4; k += 1, x += LANES * BYTES_OF(V)) {
      V a = LOAD(V, x) - shift;
      square[k] = FN(combine_sum)(square[k], a * a);
      sum[k] = FN(combine_sum)(sum[k], a);
    }
  }
  size_t rest = (n - i) / LANES;
  for (size_t k = 0; k < 3; k += 1)
    if (k < rest) {
      V a = LOAD(V, x + k * LANES * BYTES_OF(V)) - shift;
      square[k] = FN(combine_sum)(square[k], a * a);
      sum[k] = FN(combine_sum)(sum[k], a);
    }
  FN(fold_sum)(FN(chain_sum)(square), square_result);
  FN(fold_sum)(FN(chain_sum)(sum), sum_result);
}

/// `take_deviations` for `count` columns of several lines; the arrays of sums are read and written once.
static void FN(deviation_lines)(
    size_t count, void *squares, void *sums, const csimd_operand *values, ptrdiff_t distance, size_t lines) {
  const char *x = values[0].data, *shifts = values[1].data;
  char *to_square = squares, *to_sum = sums;
  V shift = (V)(0);
  if (values[1].step == 0) shift = LOAD(V, shifts);
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    size_t at = i * BYTES_OF(V);
    V square = (V)(0), sum = (V)(0);
    if (values[1].step != 0) shift = LOAD(V, shifts + at);
    for (size_t line = 0; line < lines; line += 1) {
      const char *from = x + (ptrdiff_t)line * distance + at;
      for (size_t ahead = 0; ahead < LANES * BYTES_OF(V); ahead += 64) csimd_prefetch_ahead(from + ahead);
      V a = LOAD(V, from) - shift;
      square = FN(combine_sum)(square, a * a);
      sum = FN(combine_sum)(sum, a);
    }
    STORE(V, to_square + at, FN(combine_sum)(LOAD(V, to_square + at), square));
    STORE(V, to_sum + at, FN(combine_sum)(LOAD(V, to_sum + at), sum));
  }
  if (i == count) return;
  size_t at = i * BYTES_OF(V), rest = count - i;
  V square = (V)(0), sum = (V)(0), q = (V)(0), s = (V)(0);
  if (values[1].step != 0) COPY_SOME(V)(&shift, shifts + at, rest);
  for (size_t line = 0; line < lines; line += 1) {
    V a = shift;
    COPY_SOME(V)(&a, x + (ptrdiff_t)line * distance + at, rest);
    a = a - shift;
    square = FN(combine_sum)(square, a * a);
    sum = FN(combine_sum)(sum, a);
  }
  COPY_SOME(V)(&q, to_square + at, rest);
  COPY_SOME(V)(&s, to_sum + at, rest);
  q = FN(combine_sum)(q, square);
  s = FN(combine_sum)(s, sum);
  COPY_SOME(V)(to_square + at, &q, rest);
  COPY_SOME(V)(to_sum + at, &s, rest);
}
