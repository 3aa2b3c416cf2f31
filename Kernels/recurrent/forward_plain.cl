// h = f(x + p)
if (held) {
  const $V sum = LOAD_$dtype($input, x, count) + sums[0][r];
  h = $function;
}
