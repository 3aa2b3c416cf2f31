// Scatter-add on a GPU: adds each element of the source to the result, in the row that the element's index selects. A
// work-item computes one element of the result, so that no two work-items add to the same element. It compares the row
// of its element with all indices of the element's column:
//
//   result[outer, own, i] = the sum of source[outer, j, i] over all j with index[outer, j, i] = own
//
// Parameters: $CHAINS, $ENDCHAIN, $FAULT, $FINISH, $V, $columnStride, $count, $extent, $firstIndex, $firstResult,
// $firstSource, $index, $indices, $inner, $lane, $outerStride, $result, $source, $stride, $total, $type, $zero.
const $index position = ($index)GROUP_ID() * 256 + ($index)LOCAL_ID();
if (position >= $total) return;
const $index row = position / $inner;
const $index column = position - row * $inner;
const $index outer = row / $extent;
const $index own = row - outer * $extent;
$V sum = $zero;
$CHAINS
for ($index j = 0; j < $count; j += 1) {
  const i64 to = $indices[$firstIndex + outer * $outerStride + j * $stride + column * $columnStride];
  if (own == 0 && (to < 0 || to >= $extent)) $FAULT
  if (to == own) {
    sum = row_add_$lane(sum, LOAD_$type($source, $firstSource + (outer * $count + j) * $inner + column, 1));
    $ENDCHAIN
  }
}
$FINISH
STORE_$type($result, $firstResult + position, 1, sum);
