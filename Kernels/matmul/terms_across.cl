// Adds one segment, which is `span` terms of the inner dimension, to the sums of a tile. The left factor is
// column-major, and its type, $leftDtype, is not the type of the sums. So each iteration takes one column of the left
// factor and converts the elements in the rows of the tile. $TERM is term.cl; its left elements are in `factors`.
//
//   $rows: the rows of the left factor, $tileRows of the tile; $kStride: the stride of the columns
//
// Parameters: $T, $TERM, $index, $kStride, $leftDtype, $rows, $tileRows.
PRIVATE_ARRAY($T, factors, WIDTH);
const int count = (int)SMALLER($rows - first, ($index)$tileRows);
for ($index k = 0; k < span; k += 1) {
  VSTORE(LOAD_$leftDtype(left[0], k * $kStride, count), factors);
  $TERM
}
