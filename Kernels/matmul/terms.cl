// Adds `span` terms to the sums of a tile: from `left` for each of its rows, and from `row` on in a panel.
for ($index k = 0; k < span; k += 1) {
  $V b[$vectors];
  UNROLL for (int v = 0; v < $vectors; v += 1) b[v] = VLOAD(row + v * WIDTH);
  UNROLL for (int m = 0; m < $tileRows; m += 1) {
    const $V a = ($V)(left[m][k * $kStride]);
    UNROLL for (int v = 0; v < $vectors; v += 1) {
      sums[m][v] = ACCUMULATE_$lane(a, b[v], sums[m][v]);
    }
  }
  row += $bStride;
}
