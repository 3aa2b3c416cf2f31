// For one lane, the sums of the differences from a second operand, such as the mean, and the sums of the squared
// differences, computed in one pass. loops_reduce.h includes this file.

/// `sum_squared_difference` and `sum_difference` in one pass.
ACCUMULATE(
    deviations, 2, sum, (V)(0), CSIMD_DEVIATION_LINES, LOAD(V, values[1].data), FN(squared_difference)(a, b), a - b)
static void FN(take_deviations)(size_t n, void *squares, void *sums, const csimd_operand *values, const char *ahead) {
  FN(accumulate_deviations)(n, (FN(sums) *[]){squares, sums}, values, ahead);
}

/// The results of `take_deviations` for a whole row.
WHOLE_ROWS(
    deviations, 2, sum, (V)(0), CSIMD_DEVIATION_LINES, FN(repeated)(&values[1]), FN(squared_difference)(a, b), a - b)
static void FN(deviation_row)(
    size_t n, const csimd_operand *values, void *square_result, void *sum_result, const char *ahead) {
  FN(whole_deviations)(n, values, (void *[]){square_result, sum_result}, ahead);
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
