// h = f(x + p), where x is the input, p the product of the previous state and the weights, and f is tanh or relu.
// $function computes f of `sum`; forward.cl explains the other names.
//
// Parameters: $V, $dtype, $function, $input.
if (valid) {
  const $V sum = LOAD_$dtype($input, x, count) + sums[0][r];
  h = $function;
}
