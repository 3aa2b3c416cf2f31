// Scatter-add on a CPU: adds each element of the source to the result, in the row that the element's index selects. A
// work-item owns some columns of all rows of the result, so that no two work-items add to the same element. It adds the
// rows of the source in order:
//
//   result[outer, index[outer, j, i], i] += source[outer, j, i]
//
// j is a row of the source, i a column. A unit of work is a piece of $piece columns at one `outer`.
//
//   $count, $extent: the rows of the source and of the result, for one `outer`; $inner: the number of columns
//   $pieces: the pieces of a row; $units: the number of units, $unitsPerItem for a work-item
//   $sums: the result or, if its type is not the arithmetic type $laneType, the workspace
//   $ADD: adds columns `first` to `last` - 1 of row j to `sums`, and runs owned_chain.cl if the sums are cascades
//   $BEGIN, $FINISH: begin and end the cascades (owned_total.cl), or are empty
//   $CONVERT: rounds columns `first` to `last` - 1 of `sums` to the type of the result, or is empty
//
// Parameters: $ADD, $BEGIN, $CONVERT, $FINISH, $T, $count, $extent, $index, $inner, $laneType, $piece, $pieces, $sums,
// $units, $unitsPerItem, $zero.
$index unit = GROUP_ID() * $unitsPerItem;
const $index end = SMALLER(unit + $unitsPerItem, $units);
for (; unit < end; unit += 1) {
  const $index outer = unit / $pieces;
  const $index first = (unit - outer * $pieces) * $piece;
  const $index last = SMALLER(first + $piece, $inner);
  GLOBAL $T *sums = $sums + outer * $extent * $inner;
  for ($index row = 0; row < $extent; row += 1) {
    for ($index column = first; column < last; column += WIDTH) {
      STORE_$laneType(sums, row * $inner + column, (int)SMALLER(last - column, ($index)WIDTH), $zero);
    }
  }
  $BEGIN
  for ($index j = 0; j < $count; j += 1) {
    $ADD
  }
  $FINISH
  $CONVERT
}
