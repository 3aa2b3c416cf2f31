// Computes `count` elements, from `column` on, of a row of the result of a gather in which each element has an index of
// its own. gather_row.cl computes `to` and `base`, the offsets of the rows.
//
//   $FROM: loads the index of element `column + lane`; $FAULT: reports an index that is out of range
//   $source, $result: the arrays; $extent, $inner: the rows and columns of the source
//
// Parameters: $FAULT, $FROM, $extent, $index, $inner, $result, $source.
for (int lane = 0; lane < count; lane += 1) {
  const i64 from = $FROM;
  if (from < 0 || from >= $extent) $FAULT
  else $result[to + column + lane] = $source[base + ($index)from * $inner + column + lane];
}
