// Packs a part of panel `panel` of B, the column-major right factor of a product, to `packed`: the rows of segments
// `begin` to `end` - 1. A segment is $terms consecutive rows of B; a panel is $vectors * WIDTH columns. The code
// transposes blocks of WIDTH rows by WIDTH columns in registers.
//
//   $B, $rightOffset: the array with B, of type $rightDtype, and the offset of B
//   $depth × $columns: the size of B; $lineStride: the stride of its columns
//
// Parameters: $B, $T, $V, $columns, $depth, $index, $lineStride, $rightDtype, $rightOffset, $terms, $vectors.
const $index until = SMALLER(end * $terms, $depth);
for ($index k = begin * $terms; k < until; k += WIDTH) {
  const int height = (int)SMALLER(until - k, ($index)WIDTH);
  for (int v = 0; v < $vectors; v += 1) {
    const $index column = (panel * $vectors + v) * WIDTH;
    $V tile[WIDTH];
    UNROLL for (int lane = 0; lane < WIDTH; lane += 1) {
      tile[lane] =
          LOAD_$rightDtype($B, $rightOffset + k + SMALLER(column + lane, $columns - 1) * $lineStride, height);
    }
    TRANSPOSE(tile);
    $T *to = packed + ((k - begin * $terms) * $vectors + v) * WIDTH;
    UNROLL for (int i = 0; i < WIDTH; i += 1) {
      if (i < height) VSTORE(tile[i], to + i * $vectors * WIDTH);
    }
  }
}
