// Copies `count` elements, from `column` on, of the source row `from` to a row of the result of a gather, unless `from`
// is out of range. gather_row.cl computes `to` and `base`, the offsets of the rows, gather_index.cl loads `from`.
//
//   $source, $result: the arrays, with elements of type $type
//   $extent, $inner: the rows and columns of the source
//
// Parameters: $extent, $index, $inner, $result, $source, $type.
if (from >= 0 && from < $extent) STORE_$type($result, to + column, count, LOAD_$type($source, base + ($index)from * $inner + column, count));
