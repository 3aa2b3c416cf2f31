// Cumulative products along the middle axis of [outer, extent, inner]. If the other axes have too few elements to
// occupy the device, the axis is split into chunks, and there are three launches:
//
//   totals     the product of each chunk
//   carries    the product of all chunks before each chunk (product_carries.cl)
//   results    the cumulative products of each chunk, starting from its carry
//
// A work-item computes one chunk for one outer index and $width adjacent columns of the inner axis. The columns are the
// lanes of a $T.
//
// Parameters: $FINISH, $READ, $T, $WRITE, $blocks, $chunkSize, $chunks, $extent, $inner, $items, $localSize, $origin,
// $start, $stride, $width.
const i64 item = (i64)GROUP_ID() * $localSize + LOCAL_ID();
if (item >= $items) return;
const i64 chunk = item % $chunks;
const i64 line = item / $chunks;
const i64 outer = line / $blocks;
const i64 column = (line - outer * $blocks) * $width;
const int count = (int)SMALLER((i64)$width, $inner - column);
const i64 base = outer * $extent * $inner + column + $origin;
const i64 begin = chunk * $chunkSize;
const i64 end = SMALLER(begin + $chunkSize, $extent);
$T value = $start;
for (i64 step = begin; step < end; step += 1) {
  const i64 at = base + step * $stride;
  value = value * $READ;
  $WRITE
}
const $T total = value;
$FINISH
