// Counts the term that was just added to `sum`. After every $chain terms, adds `sum` to the levels of its cascade (see
// reduce.def) and sets `sum` to zero.
//
// Parameters: $V, $chain, $lane, $levels, $zero.
terms += 1;
if (terms % $chain == 0) {
  $V carry = sum;
  sum = $zero;
  int chains = terms;
  for (int k = 0; k < $levels && chains % $chain == 0; k += 1) {
    chains /= $chain;
    levels[k] = row_add_$lane(levels[k], carry);
    carry = levels[k];
    if (chains % $chain == 0 && k + 1 < $levels) levels[k] = $zero;
  }
}
