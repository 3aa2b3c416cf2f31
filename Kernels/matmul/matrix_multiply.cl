// Adds the products of one step with matrix units, for matrix.cl. Sum number (i · $itemColumns / 8 + j) · 4 + q of a
// work-item is element q of block (i, j), which has 16 × 8 results; see MMA in prelude/matrix.h.
//
//   $LOADLEFT, $LOADRIGHT: load 16 rows or columns, which begin at `line`, from local memory to the $registers
//       registers `a` or `b[j]`; they load only the terms of half `k` of the step
//   $ROUNDLEFT, $ROUNDRIGHT: round each number in `a` or `b[j]` to TF32, or split it into two TF32 numbers, or are
//       empty
//   $MMA: adds the product of `a` and 8 columns, one half of `b[j / 2]`, to the four sums from `block` on
//
// Parameters: $LOADLEFT, $LOADRIGHT, $MMA, $ROUNDLEFT, $ROUNDRIGHT, $T, $itemColumns, $itemRows, $registers.
UNROLL for (int k = 0; k < 2; k += 1) {
  u32 b[$itemColumns / 16][$registers];
  UNROLL for (int j = 0; j < $itemColumns / 16; j += 1) {
    const int line = warpColumn * $itemColumns + j * 16;
    $LOADRIGHT
    $ROUNDRIGHT
  }
  UNROLL for (int i = 0; i < $itemRows / 16; i += 1) {
    u32 a[$registers];
    const int line = warpRow * $itemRows + i * 16;
    $LOADLEFT
    $ROUNDLEFT
    UNROLL for (int j = 0; j < $itemColumns / 8; j += 1) {
      $T *const block = sums + (i * ($itemColumns / 8) + j) * 4;
      $MMA
    }
  }
}
