// Packs the rows of a panel for the terms of a block, from a column-major B: squares of WIDTH rows and WIDTH columns
// are transposed in registers.
//
// Parameters: $B, $T, $V, $columns, $depth, $index, $lineStride, $rightDtype, $rightOffset, $terms, $vectors.
const $index until = SMALLER(end * $terms, $depth);
for ($index k = begin * $terms; k < until; k += WIDTH) {
  const int height = (int)SMALLER(until - k, ($index)WIDTH);
  for (int v = 0; v < $vectors; v += 1) {
    const $index column = (panel * $vectors + v) * WIDTH;
    $V square[WIDTH];
    UNROLL for (int lane = 0; lane < WIDTH; lane += 1) {
      square[lane] =
          LOAD_$rightDtype($B, $rightOffset + k + SMALLER(column + lane, $columns - 1) * $lineStride, height);
    }
    TRANSPOSE(square);
    $T *to = packed + ((k - begin * $terms) * $vectors + v) * WIDTH;
    UNROLL for (int i = 0; i < WIDTH; i += 1) {
      if (i < height) VSTORE(square[i], to + i * $vectors * WIDTH);
    }
  }
}
