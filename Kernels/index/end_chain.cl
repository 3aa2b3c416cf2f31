// Counts a term that was added to `sum`. What fills its chain goes to the levels above it (see reduce.def).
terms += 1;
if (terms % 16 == 0) {
  $V carry = sum;
  sum = $zero;
  int chains = terms;
  for (int k = 0; k < $levels && chains % 16 == 0; k += 1) {
    chains /= 16;
    levels[k] = row_add_$lane(levels[k], carry);
    carry = levels[k];
    if (chains % 16 == 0 && k + 1 < $levels) levels[k] = $zero;
  }
}
