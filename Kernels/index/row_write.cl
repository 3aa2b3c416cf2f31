// Copies `count` elements, from `column` on, of row `row` of the source to row `to` of the result, unless `to` is out
// of range. The surrounding code loads `to`, the index of the row.
//
//   $source, $firstSource, $result, $firstResult: the arrays, with elements of type $type, and their offsets
//   $extent: the number of rows of the result; $inner: the number of columns
//
// Parameters: $extent, $firstResult, $firstSource, $index, $inner, $result, $source, $type.
if (to >= 0 && to < $extent) STORE_$type($result, $firstResult + ($index)to * $inner + column, count, LOAD_$type($source, $firstSource + row * $inner + column, count));
