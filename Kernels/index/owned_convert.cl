// Rounds columns `first` to `last` - 1 of all rows of `sums`, for scatter_owned.cl, from the arithmetic type $laneType
// to $type, and stores them in the result.
//
//   $result, $firstResult: the array of the result, and its offset
//   $extent: the rows of the result for one `outer`; $inner: the number of columns
//
// Parameters: $extent, $firstResult, $inner, $laneType, $result, $type.
for (i64 row = 0; row < $extent; row += 1) {
  for (i64 column = first; column < last; column += WIDTH) {
    const int remaining = (int)SMALLER(last - column, (i64)WIDTH);
    STORE_$type($result, $firstResult + (outer * $extent + row) * $inner + column, remaining, EXACT_$laneType(sums, row * $inner + column, remaining));
  }
}
