// In each lane, multiplies the $block rows at the offsets `$at` by the lane's weights, and adds the products to the
// lane's vector `$total`. $RESCALE multiplies `$total` first, or is empty.
//
// Parameters: $RESCALE, $V, $at, $block, $lane, $length, $memory, $total, $weights.
for (int c = 0; c < $length; c += 1) {
  $V part = $total[c]$RESCALE;
  UNROLL for (int j = 0; j < $block; j += 1) part = ACCUMULATE_$lane($weights[j], ($V)($memory[$at[j] + c]), part);
  $total[c] = part;
}
