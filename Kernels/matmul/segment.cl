// For each row m of the tile, sets `left[m]` to the address of the row's first element in the segment with the index
// `segment`, a range of at most $terms indices of the inner dimension. Sets `span` to the length of the segment.
//
// Parameters: $A, $depth, $index, $kStride, $leftOffset, $rowStride, $rows, $terms, $tileRows.
const $index span = SMALLER($depth - segment * $terms, $terms);
UNROLL for (int m = 0; m < $tileRows; m += 1) {
  left[m] = $A + $leftOffset + SMALLER(first + m, $rows - 1) * $rowStride + segment * $terms * $kStride;
}
