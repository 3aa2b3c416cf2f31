// Scatter-add on a GPU: adds each element of the source to the result, at the position along the scatter's axis that
// the element's index selects. A work-item computes one element of the result, so that no two work-items add to the
// same element. It compares `own`, the position of its element along this axis, with the indices of all source elements
// that have the same positions `outer` and `i` along the axes before and after it:
//
//   result[outer, own, i] = the sum of source[outer, j, i] over all j with index[outer, j, i] = own
//
//   $ELEMENT: element.cl, computes `outer`, `own`, `position` and `column`, which is i
//   $ADD: add_row.cl; $CHAINS, $FINISH: begin and end a cascade of sums (see reduce.def), or are empty
//   $indices, $firstIndex: the array of indices, and its offset; $outerStride, $stride, $columnStride: its strides
//   $count, $extent: the extents of the scatter's axis in the source and in the result
//   $FAULT: reports an index that is out of range
//   $result, $firstResult: the array of the result, of type $type, and its offset
//
// Parameters: $ADD, $CHAINS, $ELEMENT, $FAULT, $FINISH, $V, $columnStride, $count, $extent, $firstIndex, $firstResult,
// $index, $indices, $outerStride, $result, $stride, $type, $zero.
$ELEMENT
$V sum = $zero;
$CHAINS
for ($index j = 0; j < $count; j += 1) {
  const i64 to = $indices[$firstIndex + outer * $outerStride + j * $stride + column * $columnStride];
  if (own == 0 && (to < 0 || to >= $extent)) $FAULT
  if (to == own) {
    $ADD
  }
}
$FINISH
STORE_$type($result, $firstResult + position, 1, sum);
