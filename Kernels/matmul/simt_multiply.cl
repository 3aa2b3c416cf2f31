// Adds the products of one step with multiply-adds of the work-items, for matrix.cl. Each sum is a chain of
// multiply-adds over the terms in ascending order, as in tiled.cl. The work-items of a warp form a grid of 8 rows and 4 columns. Each
// of them computes $itemRows / 8 × $itemColumns / 4 results; sum number i · $itemColumns / 4 + j is result (i, j).
//
//   $LOADLEFT, $LOADRIGHT: simt_block.cl, loads four terms of four rows or columns to `a`, or to `b` from column `j` on
//
// Parameters: $LOADLEFT, $LOADRIGHT, $itemColumns, $itemRows.
// If the compiler unrolled this loop, it would load the terms of several chunks ahead, and spill registers.
NO_UNROLL for (int chunk = 0; chunk < 4; chunk += 1) {
  float b[$itemColumns / 4][4];
  UNROLL for (int j = 0; j < $itemColumns / 4; j += 4) {
    $LOADRIGHT
  }
  UNROLL for (int i = 0; i < $itemRows / 8; i += 4) {
    float a[4][4];
    $LOADLEFT
    UNROLL for (int k = 0; k < 4; k += 1) {
      UNROLL for (int h = 0; h < 4; h += 1) {
        UNROLL for (int j = 0; j < $itemColumns / 4; j += 1) {
          const int s = (i + h) * ($itemColumns / 4) + j;
          sums[s] = ACCUMULATE_f32(a[h][k], b[j][k], sums[s]);
        }
      }
    }
  }
}
