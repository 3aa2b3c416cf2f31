// A work-group copies tiles of both factors to local memory. This file loads a work-item's share of one factor's tile
// to registers: $pieces runs of $quad elements. The elements of a run are consecutive terms (positions along the
// summed axis) of one row or column, or one term of consecutive rows or columns. `along` is the first term of a run,
// and `across` the first row (of A) or column (of B) of the run, both counted from the start of the tile. Elements
// outside of the matrix are zeros.
//
//   $across, $along: compute `across` and `along` from `element`, the number of the run
//   $line: the name `row` or `column`; $tileLine: `tileRow` or `tileColumn`; $lines: the rows or columns of the matrix
//   $extent: the rows or columns of the tile; $end: the end of the range of terms; $items: the work-items of a group
//   $LOAD: loads the run that begins at $line and term `depth` to the elements of $next from number piece · $quad on
//   $next: the registers, `nextLeft` or `nextRight`
//
// Parameters: $LOAD, $across, $along, $end, $extent, $index, $items, $line, $lines, $next, $pieces, $quad, $tileLine.
UNROLL for (int piece = 0; piece < $pieces; piece += 1) {
  const int element = lid + piece * $items;
  const int across = $across;
  const int along = $along;
  const $index $line = $tileLine * $extent + across;
  const $index depth = start + along;
  UNROLL for (int q = 0; q < $quad; q += 1) $next[piece * $quad + q] = 0;
  if ($line < $lines && depth < $end) {
    $LOAD
  }
}
