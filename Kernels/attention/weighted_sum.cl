// In each lane, adds a weighted sum of $block rows of an operand to the lane's vector `$total`. Row j begins at the
// offset `$at[j]`, and each lane has its own weight for it in `$weights[j]`. $RESCALE multiplies `$total` first, or is
// empty.
//
// Parameters: $RESCALE, $V, $at, $block, $factor, $lane, $length, $memory, $total, $weights.
for (int c = 0; c < $length; c += 1) {
  $V part = $total[c]$RESCALE;
  UNROLL for (int j = 0; j < $block; j += 1) {
    part = ACCUMULATE_$lane($weights[j], SPLAT_$factor($memory, $at[j] + c), part);
  }
  $total[c] = part;
}
