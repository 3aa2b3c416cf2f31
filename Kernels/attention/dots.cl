// Computes the dot products of each lane's vector with $block consecutive rows of another operand: sets `$dots[j]` to
// the product with row $row + j, and `$at[j]` to the offset of this row in memory. Rows past the last row repeat the
// last row.
//
// Parameters: $V, $at, $block, $dots, $factor, $lane, $length, $memory, $row, $rowStride, $start, $vector.
UNROLL for (int j = 0; j < $block; j += 1) {
  $dots[j] = ($V)(0);
  $at[j] = $start + ($row + SMALLER(j, remaining - 1)) * $rowStride;
}
for (int c = 0; c < $length; c += 1) {
  const $V x = $vector[c];
  UNROLL for (int j = 0; j < $block; j += 1) {
    $dots[j] = ACCUMULATE_$lane(x, SPLAT_$factor($memory, $at[j] + c), $dots[j]);
  }
}
