// Adds one segment of a matrix product, `span` terms of the inner dimension. The left factor is column-major. A tile
// (a block of results in registers) that lies inside the matrix reads all its rows through one pointer, because one
// pointer for each row would take too many registers. For such a tile, the loop also prefetches the cache lines of the
// next tile.
//
//   $TERM, $COLUMNTERM: term.cl, with one pointer for each row, `left[m]`, or with the pointer `column`
//   $rows: the rows of the left factor, $tileRows of the tile; $kStride: the stride of the columns; $leftT: the C type
//
// Parameters: $COLUMNTERM, $TERM, $index, $kStride, $leftT, $rows, $tileRows.
if (first + $tileRows <= $rows) {
  GLOBAL const $leftT *column = left[0];
  for ($index k = 0; k < span; k += 1) {
    $COLUMNTERM
    PREFETCH(column + 2 * $tileRows - 1);
    column += $kStride;
  }
} else {
  for ($index k = 0; k < span; k += 1) {
    $TERM
  }
}
