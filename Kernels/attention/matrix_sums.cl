// Adds to the 16 rows $total of each warp the products of $weights (16 × $columns) and $columns rows in local memory at
// $others. The weights are rounded to the type of these rows. A block of sums is a factor of the product as it is: the
// elements of a work-item are in the same rows and columns. $steps is the length of the rows in units of 16 elements.
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
