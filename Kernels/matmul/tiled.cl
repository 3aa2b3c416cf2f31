// A product by tiles of $tileRows × $tileColumns results: a group of $items work-items copies $step columns of the left
// matrix and rows of the right one to local memory, then each work-item adds to $itemRows × $itemColumns results. These
// are squares of 4 × 4, so that four elements are read at a time; the squares of neighbouring work-items are adjacent.
// While a step is added up, the next one is loaded to registers. The lowering fills in loads and stores: a convolution
// is a product of implicit matrices.
//
//   group → (batch, tile row, tile column)
//   work-item → (x, y):  row 4 y + i % 4 + i / 4 · $rowPitch of the tile, column 4 x + j % 4 + j / 4 · $columnPitch
//
// Parameters: $BATCH, $EPILOGUE, $FETCHLEFT, $FETCHRIGHT, $OUTPUT, $ROW, $STORELEFT, $STORERIGHT, $T, $V, $begin,
// $columnPitch, $columnTiles, $columns, $end, $index, $itemColumns, $itemRows, $lane, $leftCount, $rightCount,
// $rowPitch, $rowTiles, $rows, $step, $tileColumns, $tileRows.
$index rest = GROUP_ID();
const $index tileColumn = rest % $columnTiles;
rest = rest / $columnTiles;
const $index tileRow = rest % $rowTiles;
const $index batch = rest / $rowTiles;
$BATCH
const int lid = LOCAL_ID();
const int x = lid % ($tileColumns / $itemColumns) * 4;
const int y = lid / ($tileColumns / $itemColumns) * 4;
$T sums[$itemRows][$itemColumns];
UNROLL for (int i = 0; i < $itemRows; i += 1) {
  UNROLL for (int j = 0; j < $itemColumns; j += 1) sums[i][j] = 0;
}
$T nextLeft[$leftCount];
$T nextRight[$rightCount];
$index start = $begin;
{
  $FETCHLEFT
  $FETCHRIGHT
}
while (start < $end) {
  {
    $STORELEFT
    $STORERIGHT
  }
  BARRIER();
  start += $step;
  if (start < $end) {
    $FETCHLEFT
    $FETCHRIGHT
  }
  for (int k = 0; k < $step; k += 1) {
    $T a[$itemRows];
    $T b[$itemColumns];
    UNROLL for (int i = 0; i < $itemRows; i += 1) a[i] = left[k * ($tileRows + 4) + y + i % 4 + i / 4 * $rowPitch];
    UNROLL for (int j = 0; j < $itemColumns; j += 1) {
      b[j] = right[k * ($tileColumns + 4) + x + j % 4 + j / 4 * $columnPitch];
    }
    UNROLL for (int i = 0; i < $itemRows; i += 1) {
      UNROLL for (int j = 0; j < $itemColumns; j += 1) sums[i][j] = ACCUMULATE_$lane(a[i], b[j], sums[i][j]);
    }
  }
  BARRIER();
}
// Only this copy is indexed by a variable, so that the sums stay in registers.
$T results[$itemRows * $itemColumns];
UNROLL for (int i = 0; i < $itemRows; i += 1) {
  UNROLL for (int j = 0; j < $itemColumns; j += 1) results[i * $itemColumns + j] = sums[i][j];
}
for (int position = 0; position < $itemRows * $itemColumns; position += 1) {
  const int i = position / $itemColumns;
  const int j = position % $itemColumns;
  const $index tiledRow = tileRow * $tileRows + y + i % 4 + i / 4 * $rowPitch;
  const $index tiledColumn = tileColumn * $tileColumns + x + j % 4 + j / 4 * $columnPitch;
  if (tiledRow >= $rows || tiledColumn >= $columns) continue;
  const $V core = results[position];
  $OUTPUT
  $ROW
  $EPILOGUE
}
