// For segment number `segment` of the terms, sets `left[m]` to the address of the segment's first term in row m of the
// tile, and `span` to the number of terms.
//
// Parameters: $A, $depth, $index, $kStride, $leftOffset, $rowStride, $rows, $terms, $tileRows.
const $index span = SMALLER($depth - segment * $terms, $terms);
UNROLL for (int m = 0; m < $tileRows; m += 1) {
  left[m] = $A + $leftOffset + SMALLER(first + m, $rows - 1) * $rowStride + segment * $terms * $kStride;
}
