// Segment sums on a GPU. A segment is the rows of the source that have the same index. The indices are sorted, so these
// rows are contiguous:
//
//   result[outer, own, column] = the sum of source[outer, j, column] over all j with index[outer, j] = own
//
// A work-item computes one element of the result: it finds the first row of segment `own` by binary search and adds
// rows up to the end of the segment. The work-items of column 0 share the check that the indices are in range and
// sorted. scatter_searching.cl explains the names. Here, $count is the number of rows of the source for one `outer`,
// $extent the number of segments, and $FAULT also reports indices that are not sorted.
//
// Parameters: $ADD, $CHAINS, $ELEMENT, $FAULT, $FINISH, $V, $count, $extent, $firstIndex, $firstResult, $index,
// $indices, $outerStride, $result, $stride, $type, $zero.
$ELEMENT
const $index base = $firstIndex + outer * $outerStride;
if (column == 0) {
  const $index last = ($index)(((i64)own + 1) * $count / $extent);
  for ($index j = ($index)((i64)own * $count / $extent); j < last; j += 1) {
    const i64 to = $indices[base + j * $stride];
    if (to < 0 || to >= $extent) $FAULT
    if (j > 0 && $indices[base + (j - 1) * $stride] > to) $FAULT
  }
}
$index low = 0;
for ($index high = $count; low < high;) {
  const $index middle = low + (high - low) / 2;
  if ($indices[base + middle * $stride] < own) low = middle + 1; else high = middle;
}
$V sum = $zero;
$CHAINS
for ($index j = low; j < $count && $indices[base + j * $stride] == own; j += 1) {
  $ADD
}
$FINISH
STORE_$type($result, $firstResult + position, 1, sum);
