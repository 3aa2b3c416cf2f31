// For each warp, computes the 16 × $columns dot products of its 16 rows, at $rows, and $columns rows at $others.
// $sums[j] gets the work-item's elements of the 16 × 8 block whose columns begin at 8j. Both operands are in local
// memory, in the layout of matrix_copy.cl. A dot product has $steps · 16 terms; those past the end of the rows are 0.
//
// Parameters: $chunks, $columns, $factor, $others, $phase, $rows, $steps, $sums.
UNROLL for (int j = 0; j < $columns / 8; j += 1) {
  UNROLL for (int i = 0; i < 4; i += 1) $sums[j][i] = 0;
}
UNROLL for (int k = 0; k < $steps; k += 1) {
  u32 a[4];
  {
    const int at = warp * 16 + lane % 16;
    LOAD_MATRIX(a, $rows + (at * $chunks + ((k * 2 + lane / 16) ^ $phase)) * 4);
  }
  UNROLL for (int j = 0; j < $columns / 16; j += 1) {
    u32 b[4];
    const int at = j * 16 + lane % 16;
    LOAD_MATRIX(b, $others + (at * $chunks + ((k * 2 + lane / 16) ^ $phase)) * 4);
    MMA_$factor($sums[2 * j], a, b[0], b[2]);
    MMA_$factor($sums[2 * j + 1], a, b[1], b[3]);
  }
}
