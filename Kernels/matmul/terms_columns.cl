// The terms of a segment whose left factors lie in order from row to row. All rows of a whole tile are read from one
// pointer, since a pointer for each would not fit the registers. The lines that the next tile reads are fetched ahead.
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
