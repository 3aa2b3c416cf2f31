// The terms of a segment of a column-major left factor: for each term, the elements of the tile's rows are converted.
//
// Parameters: $T, $TERM, $index, $kStride, $leftDtype, $rows, $tileRows.
PRIVATE_ARRAY($T, factors, WIDTH);
const int count = (int)SMALLER($rows - first, ($index)$tileRows);
for ($index k = 0; k < span; k += 1) {
  VSTORE(LOAD_$leftDtype(left[0], k * $kStride, count), factors);
  $TERM
}
