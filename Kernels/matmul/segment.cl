// The inner dimension of a product is split into segments of at most $terms indices. Sets `span` to the length of the
// segment with the index `segment`. For each row m of the tile, sets `left[m]` to the address of the first element of
// this segment in the row of A. Tile rows past the last row of A repeat this last row.
//
// Parameters: $A, $depth, $index, $kStride, $leftOffset, $rowStride, $rows, $terms, $tileRows.
const $index span = SMALLER($depth - segment * $terms, $terms);
UNROLL for (int m = 0; m < $tileRows; m += 1) {
  left[m] = $A + $leftOffset + SMALLER(first + m, $rows - 1) * $rowStride + segment * $terms * $kStride;
}
