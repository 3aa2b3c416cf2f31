// Copies a work-item's share of one factor's tile to local memory, for matrix.cl: $extent lines (rows of the left
// factor or columns of the right one) with 64 bytes of terms each, in chunks of 16 bytes. `across` is the first line of
// a chunk and `along` its first term, both counted from the start of the tile. $place is the position of the chunk in
// local memory, in units of 16 bytes. The chunks of a row are permuted (swizzle), so that the 8 chunks that LOAD_MATRIX
// (ldmatrix) reads at a time are in different banks.
//
//   $across, $along: compute `across` and `along` from `element`, the number of the chunk
//   $side: the local memory, `left` or `right`; $line: the name `row` or `column`; $tileLine: `tileRow` or `tileColumn`
//   $COPY: copies the chunk that begins at line $line and term `depth` to `to`
//   $items: the work-items of a group; $unroll: UNROLL or NO_UNROLL
//
// Parameters: $COPY, $across, $along, $extent, $index, $items, $line, $place, $side, $tileLine, $unroll.
$unroll for (int piece = 0; piece < $extent * 4 / $items; piece += 1) {
  const int element = lid + piece * $items;
  const int across = $across;
  const int along = $along;
  const $index $line = $tileLine * $extent + across;
  const $index depth = start + along;
  u32 *const to = $side + ($place) * 4;
  $COPY
}
