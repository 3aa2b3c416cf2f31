// h = f(x + p)
//
// Parameters: $V, $dtype, $function, $input.
if (valid) {
  const $V sum = LOAD_$dtype($input, x, count) + sums[0][r];
  h = $function;
}
