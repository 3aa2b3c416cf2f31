// Adds one segment, `span` terms along the inner dimension, to the sums of a tile. The left factor is row-major, and
// its type, $leftDtype, is not the type of the sums. So each iteration of the outer loop converts WIDTH terms of each
// of the $tileRows rows of the tile. $TERM is term.cl; its left elements are in `factors`.
//
// Parameters: $T, $TERM, $index, $leftDtype, $tileRows.
PRIVATE_ARRAY($T, factors, $tileRows * WIDTH);
for ($index start = 0; start < span; start += WIDTH) {
  const int count = (int)SMALLER(span - start, ($index)WIDTH);
  UNROLL for (int m = 0; m < $tileRows; m += 1) {
    VSTORE(LOAD_$leftDtype(left[m], start, count), factors + m * WIDTH);
  }
  for (int k = 0; k < count; k += 1) {
    $TERM
  }
}
