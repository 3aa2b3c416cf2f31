// Merges pairs of neighboring sorted runs of $run elements of a row into runs of twice the length. Runs contain the
// indices of elements in the row, as blocks.cl writes them. The position of an element in the merged run is the number
// of elements before it in its own run, plus the number of elements of the other run that precede it. Of equal
// elements, the one of the left run comes first, so that the sort is stable. One work-item merges $perItem elements.
//
//   $OTHERPRECEDES: whether `before` comes before `key` in the sorted order; false for equal elements
//   $elements: the elements of all rows; $source, $target: the runs before and after the merge
//   $KEYOTHER, $KEYPOSITION, $KEYPRECEDES, $columns, $localSize: see blocks.cl
//
// Parameters: $KEYOTHER, $KEYPOSITION, $KEYPRECEDES, $OTHERPRECEDES, $T, $columns, $elements, $localSize, $perItem,
// $run, $source, $target.
const i64 item = (i64)GROUP_ID() * $localSize + LOCAL_ID();
const i64 stop = SMALLER((item + 1) * $perItem, $elements);
for (i64 element = item * $perItem; element < stop; element += 1) {
  const i64 row = element / $columns;
  const i64 at = element - row * $columns;
  GLOBAL const i64 *order = $source + row * $columns;
  const i64 position = order[at];
  const $T key = $KEYPOSITION;
  const i64 run = at / $run;
  const bool isLeft = run % 2 == 0;
  const i64 own = run * $run;
  i64 low = isLeft ? SMALLER(own + $run, $columns) : own - $run;
  i64 high = isLeft ? SMALLER(low + $run, $columns) : own;
  const i64 other0 = low;
  while (low < high) {
    const i64 middle = (low + high) / 2;
    const i64 other = order[middle];
    const $T before = $KEYOTHER;
    const bool goesBefore = isLeft ? ($OTHERPRECEDES) : !($KEYPRECEDES);
    low = goesBefore ? middle + 1 : low;
    high = goesBefore ? high : middle;
  }
  $target[row * $columns + (isLeft ? own : own - $run) + (at - own) + (low - other0)] = position;
}
