// The start of row `row` of the result of a gather, which is row j = row - outer * $count of one `outer`:
//
//   result[outer, j, column] = source[outer, index[outer, j, column], column]
//
// Computes `to` and `base`, the offsets of element (outer, j, 0) of the result and of element (outer, 0, 0) of the
// source.
//
//   $count, $extent: the rows of the result and of the source, for one `outer`; $inner: the number of columns
//   $firstResult, $firstSource: the offsets of the arrays of the result and of the source
//
// Parameters: $count, $extent, $firstResult, $firstSource, $index, $inner.
const $index outer = row / $count;
const $index to = $firstResult + row * $inner;
const $index base = $firstSource + outer * $extent * $inner;
