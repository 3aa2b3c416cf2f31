// h = f(x + p), where f is tanh or relu and p the product of the previous state and the weights
//
// Parameters: $V, $dtype, $function, $input.
if (valid) {
  const $V sum = LOAD_$dtype($input, x, count) + sums[0][r];
  h = $function;
}
