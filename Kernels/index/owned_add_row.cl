// Adds columns `first` to `last` - 1 of row j of the source to row `to` of `sums`, for scatter_owned.cl, if the
// elements of a row share an index. Skips the row if `to` is out of range; the work-item that owns column 0 reports
// this.
//
//   $TO: loads the index of row j; $FAULT: reports an index that is out of range
//   $ORDER: reports an index that is smaller than the index of the row before, or is empty
//   $COUNTTERM: sets `at` and runs owned_chain.cl, or is empty if the sums are no cascades (see reduce.def)
//   $source, $firstSource: the array of the source, of type $type, and its offset; $count: its rows for one `outer`
//   $extent: the rows of the result for one `outer`; $inner: the number of columns; $laneType: the type of `sums`
//
// Parameters: $COUNTTERM, $FAULT, $ORDER, $TO, $count, $extent, $firstSource, $inner, $lane, $laneType, $source,
// $type.
const i64 to = $TO;
if (to < 0 || to >= $extent) { if (first == 0) $FAULT continue; }
$ORDER
for (i64 column = first; column < last; column += WIDTH) {
  const int remaining = (int)SMALLER(last - column, (i64)WIDTH);
  STORE_$laneType(sums, to * $inner + column, remaining, row_add_$lane(EXACT_$laneType(sums, to * $inner + column, remaining), LOAD_$type($source, $firstSource + (outer * $count + j) * $inner + column, remaining)));
}
$COUNTTERM
