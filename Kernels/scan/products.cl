// Cumulative products along the middle axis of [outer, extent, inner]. If this axis is long and the other axes have too
// few elements to occupy the device, the axis is split into chunks, and there are three launches. Otherwise, the axis
// is one chunk, and there is only the last launch.
//
//   totals     the product of each chunk
//   carries    the product of all chunks before each chunk (product_carries.cl)
//   results    the cumulative products of each chunk, starting from its carry
//
// A work-item computes one chunk for one outer index and $width adjacent columns of the inner axis. A $T contains an
// element of each of these columns.
//
//   $CHUNK: chunk.cl, computes `base`, `begin`, `end`, `count` and `item`; $MULTIPLY: the product of a and b
//   $start: the first factor: the carry of the chunk, or 1
//   $stride: the distance in elements from one position to the next; negative if the scan begins at the end of the axis
//   $READ: loads the element at offset `at`; $WRITE: stores `value` at `at`; empty in the first launch
//   $FINISH: stores `total` in the first launch, else empty
//
// Parameters: $CHUNK, $FINISH, $MULTIPLY, $READ, $T, $WRITE, $start, $stride.
#define MULTIPLY(a, b) $MULTIPLY
$CHUNK
$T value = $start;
for (i64 step = begin; step < end; step += 1) {
  const i64 at = base + step * $stride;
  value = MULTIPLY(value, $READ);
  $WRITE
}
const $T total = value;
#undef MULTIPLY
$FINISH
