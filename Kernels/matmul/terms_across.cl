// The terms of a segment whose left factors lie in order from row to row: those of the tile are converted
// for each term.
PRIVATE_ARRAY($T, factors, WIDTH);
const int count = (int)SMALLER($rows - first, ($index)$tileRows);
for ($index k = 0; k < span; k += 1) {
  VSTORE(LOAD_$leftDtype(left[0], k * $kStride, count), factors);
  $TERM
}
