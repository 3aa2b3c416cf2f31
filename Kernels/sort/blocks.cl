// Insertion sort of each run of $block neighboring elements of a row. The result is the indices of these elements in
// the row, in sorted order. One work-item sorts one run.
//
//   $columns: the elements of a row; $runs: the runs of a row; $items: the runs of all rows; $localSize: the work-items
//       of a group; $target: the result
//   $KEYPOSITION, $KEYOTHER: load the elements with the indices `position` and `other` of row `row`
//   $KEYPRECEDES: whether `key` comes before `before` in the sorted order; false for equal elements
//
// Parameters: $KEYOTHER, $KEYPOSITION, $KEYPRECEDES, $T, $block, $columns, $items, $localSize, $runs, $target.
const i64 item = (i64)GROUP_ID() * $localSize + LOCAL_ID();
if (item >= $items) return;
const i64 row = item / $runs;
const i64 first = (item - row * $runs) * $block;
const i64 last = SMALLER(first + $block, $columns);
GLOBAL i64 *order = $target + row * $columns;
for (i64 position = first; position < last; position += 1) {
  const $T key = $KEYPOSITION;
  i64 to = position;
  while (to > first) {
    const i64 other = order[to - 1];
    const $T before = $KEYOTHER;
    if (!($KEYPRECEDES)) break;
    order[to] = other;
    to -= 1;
  }
  order[to] = position;
}
