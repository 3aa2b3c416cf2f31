// The inner dimension of a product is split into segments of $terms indices; the last segment may be shorter. Sets
// `span` to the length of the segment with the index `segment`. For each of the $tileRows rows m of the tile, sets
// `left[m]` to the address of the first element of this segment in that row of A. Tile rows past the last row of A
// repeat the last row.
//
//   $A, $leftOffset: the array with A, and the offset of A; $rowStride, $kStride: the strides of its rows and columns
//   $rows × $depth: the size of A
//
// Parameters: $A, $depth, $index, $kStride, $leftOffset, $rowStride, $rows, $terms, $tileRows.
const $index span = SMALLER($depth - segment * $terms, $terms);
UNROLL for (int m = 0; m < $tileRows; m += 1) {
  left[m] = $A + $leftOffset + SMALLER(first + m, $rows - 1) * $rowStride + segment * $terms * $kStride;
}
