// A matrix product. Each work-group computes a tile of $tileRows × $tileColumns results. In each step, the work-items
// of a group copy $step columns of the left matrix, in the rows of the tile, and $step rows of the right matrix, in the
// columns of the tile, to local memory. Then each work-item updates $itemRows × $itemColumns results in blocks of
// 4 × 4, so that it reads four elements at a time. The blocks of neighboring work-items are adjacent. While the group
// adds the terms of one step, it loads the terms of the next step to registers. The lowering fills in loads and stores,
// because the kernel also computes convolutions, as products of implicit matrices.
//
//   group → (batch, tile row, tile column)
//   work-item → (x, y), multiples of 4; its result (i, j) is in row y + i % 4 + i / 4 · $rowPitch of the tile
//               and in column x + j % 4 + j / 4 · $columnPitch
//
//   $rows × $columns: the size of a product; $rowTiles × $columnTiles: the tiles of a product
//   $begin, $end: the range of terms that are added
//   $BATCH: computes what depends on `batch`: the offsets of the factors or, for a convolution, the group and the range
//       of terms
//   $FETCHLEFT, $FETCHRIGHT: tile_fetch.cl, loads the terms of one step, which begin at `start`, to the registers
//       `nextLeft` and `nextRight`
//   $STORELEFT, $STORERIGHT: tile_store.cl, stores these terms in `left` and `right`, in local memory
//   $leftCount, $rightCount: the elements of each factor that a work-item loads in a step
//   $OUTPUT: sets `output` and `column`, the place of the result at `tiledRow` and `tiledColumn`, for $EPILOGUE
//   $ROW, $EPILOGUE: see vector.cl
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
// In each iteration, the group loads the terms of the step that begins at `start` to registers, and adds the terms of
// the previous step, which are in local memory.
for ($index start = $begin; start < $end + $step; start += $step) {
  $T nextLeft[$leftCount];
  $T nextRight[$rightCount];
  if (start < $end) {
    $FETCHLEFT
    $FETCHRIGHT
  }
  if (start > $begin) {
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
  }
  BARRIER();
  if (start < $end) {
    $STORELEFT
    $STORERIGHT
  }
  BARRIER();
}
// The loop below indexes `results`, a copy of `sums`, by a variable. `sums` has constant indices only, so it stays in
// registers.
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
