// For one lane (arithmetic type): sums the differences between the elements and a second operand, such as the mean of
// the elements, and the squares of these differences, in one pass. loops_reduce.h includes this file.

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

/// `take_deviations` for `count` columns at once. A line has one element of each column.
LINES(deviations, 2, sum, (V)(0), FN(squared_difference)(a, b), a - b)
static void FN(deviation_lines)(
    size_t count, void *squares, void *sums, const csimd_operand *values, ptrdiff_t distance, size_t lines) {
  void *const *to = (void *[]){squares, sums};
  size_t i = FN(whole_lines_deviations)(count, to, values[0].data, values[1], distance, (ptrdiff_t)lines);
  FN(last_lines_deviations)(i, count, to, values[0].data, values[1], distance, (ptrdiff_t)lines);
}
