// Adds one term to each sum of a tile of $tileRows rows × $vectors registers: the product at one index of the inner
// dimension. Advances `row` to the row of B for the next term.
//
//   $RIGHTPART: loads register `v` of `row`; $factor: the element of A in row `m` of the tile
//   $bStride: the distance from one row of B to the next
//
// Parameters: $RIGHTPART, $V, $bStride, $factor, $lane, $tileRows, $vectors.
$V b[$vectors];
UNROLL for (int v = 0; v < $vectors; v += 1) b[v] = $RIGHTPART;
UNROLL for (int m = 0; m < $tileRows; m += 1) {
  const $V a = ($V)($factor);
  UNROLL for (int v = 0; v < $vectors; v += 1) {
    sums[m][v] = ACCUMULATE_$lane(a, b[v], sums[m][v]);
  }
}
row += $bStride;
