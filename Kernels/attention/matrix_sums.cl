// Adds the product of $weights (16 × $columns for each warp) and $columns rows in local memory at $others to $total,
// the sums of each warp's 16 rows of $steps · 16 elements. The weights are rounded to the type of the rows at $others.
// No work-item needs the weights of another: its elements in two neighboring 16 × 8 blocks of accumulators are its
// elements of a 16 × 16 factor A.
//
// Parameters: $chunks, $columns, $factor, $others, $phase, $steps, $total, $weights.
UNROLL for (int k = 0; k < $columns / 16; k += 1) {
  u32 a[4];
  UNROLL for (int i = 0; i < 4; i += 1) {
    a[i] = PACK_$factor($weights[2 * k + i / 2][i % 2 * 2], $weights[2 * k + i / 2][i % 2 * 2 + 1]);
  }
  UNROLL for (int j = 0; j < $steps; j += 1) {
    u32 b[4];
    const int at = k * 16 + lane / 16 * 8 + lane % 8;
    LOAD_MATRIX_TRANSPOSED(b, $others + (at * $chunks + ((j * 2 + lane / 8 % 2) ^ $phase)) * 4);
    MMA_$factor($total[2 * j], a, b[0], b[2]);
    MMA_$factor($total[2 * j + 1], a, b[1], b[3]);
  }
}
