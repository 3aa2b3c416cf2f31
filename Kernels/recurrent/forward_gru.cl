// The cell of a GRU, see cells.h. If $keeps is 1, stores the gates r (here `reset`), z and n, and p, the biased product
// of the previous state and the weights of n, for the backward pass. $BIAS0, $BIAS1 and $BIAS2 add the biases of the
// products of r, z and n (` + …`), or are empty; forward.cl explains the other names.
//
// Parameters: $BIAS0, $BIAS1, $BIAS2, $T, $V, $dtype, $input, $keeps, $lane, $size.
$V reset = ($V)(0), z = ($V)(0), n = ($V)(0), p = ($V)(0);
if (valid) {
  p = sums[2][r]$BIAS2;
  reset = LOAD_$dtype($input, x, count) + (sums[0][r]$BIAS0);
  z = LOAD_$dtype($input, x + $size, count) + (sums[1][r]$BIAS1);
  n = LOAD_$dtype($input, x + 2 * $size, count);
  h = gru_cell_$lane(&reset, &z, &n, p, old);
}
if ($keeps) {
  GLOBAL $T *kept = last + stateCount + row * 4 * $size + at;
  STORE_$dtype(kept, 0, count, reset);
  STORE_$dtype(kept, $size, count, z);
  STORE_$dtype(kept, 2 * $size, count, n);
  STORE_$dtype(kept, 3 * $size, count, p);
}
