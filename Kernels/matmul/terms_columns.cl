// The terms of a segment of a column-major left factor. All rows of a whole tile are read from one pointer, since one
// pointer per row would not fit the registers. The cache lines of the next tile are prefetched.
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
