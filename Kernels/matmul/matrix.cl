// A matrix product with a pipeline of asynchronous copies to local memory. Matrix units compute the sums (mma
// instructions, see prelude/matrix.h); for float32 factors that are not rounded, the work-items compute them with
// multiply-adds. Each work-group computes a tile of $tileRows × $tileColumns results. A step adds $depth terms: 64
// bytes of each row of the left factor and of each column of the right one. Local memory has $stages stages, each
// with the factors of one step. While the warps of a group multiply the factors of one step, the copies of the
// factors of the next $stages - 1 steps are under way (cp.async, if the factors are aligned). Each warp computes
// $itemRows × $itemColumns results. At the end, the warps store their sums in local memory, one row of warps at a
// time. From there, neighboring work-items store neighboring results, so that stores to global memory are coalesced.
//
//   group → (batch, tile row, tile column)
//   warp → (row of warps, column of warps)
//
//   $rows × $columns: the size of a product; $rowTiles × $columnTiles: the tiles of a product
//   $warpRows × $warpColumns: the warps of a group; $items: its work-items
//   $begin, $end: the range of terms that are added
//   $BATCH: computes what depends on `batch`, the number of the product: the offsets of the factors. If a sum is split
//       into parts, `batch` counts parts of products, and the code also sets the range of terms.
//   $COPYLEFT, $COPYRIGHT: matrix_copy.cl, copies the terms of one step, which begin at `start`, to `left` and `right`
//       in local memory
//   $leftWords, $rightWords: the size of each factor in one step, in words of 4 bytes
//   $MULTIPLY: adds the products of one step to `sums`: matrix_multiply.cl with matrix units, or simt_multiply.cl
//   $sumCount: the sums of a work-item; $sumRow, $sumColumn: the row and the column of sum `s` in the warp's results
//   $OUTPUT: sets `output` and `column`, the place of the result at `tiledRow` and `tiledColumn`, for $EPILOGUE
//   $ROW, $EPILOGUE: see vector.cl
//
// Parameters: $BATCH, $COPYLEFT, $COPYRIGHT, $EPILOGUE, $MULTIPLY, $OUTPUT, $ROW, $T, $V, $begin, $columnTiles,
// $columns, $depth, $end, $index, $itemColumns, $itemRows, $items, $leftWords, $rightWords, $rowTiles, $rows, $stages,
// $sumColumn, $sumCount, $sumRow, $tileColumns, $tileRows, $warpColumns, $warpRows.
$index rest = GROUP_ID();
const $index tileColumn = rest % $columnTiles;
rest = rest / $columnTiles;
const $index tileRow = rest % $rowTiles;
const $index batch = rest / $rowTiles;
$BATCH
const int lid = LOCAL_ID();
const int lane = lid % 32;
const int warpRow = lid / 32 / $warpColumns;
const int warpColumn = lid / 32 % $warpColumns;
$T sums[$sumCount];
UNROLL for (int s = 0; s < $sumCount; s += 1) sums[s] = 0;
const int steps = (int)(($end - $begin + $depth - 1) / $depth);
for (int step = 1 - $stages; step < steps; step += 1) {
  const int copied = step + $stages - 1;
  if (step >= 0) {
    COPY_ASYNC_WAIT($stages - 2);
    BARRIER();
  }
  if (copied < steps) {
    const $index start = $begin + copied * $depth;
    u32 *const left = tiles + copied % $stages * ($leftWords + $rightWords);
    u32 *const right = left + $leftWords;
    $COPYLEFT
    $COPYRIGHT
  }
  COPY_ASYNC_COMMIT();
  if (step < 0) continue;
  const u32 *const left = tiles + step % $stages * ($leftWords + $rightWords);
  const u32 *const right = left + $leftWords;
  $MULTIPLY
}
$T *const results = ($T *)tiles;
for (int part = 0; part < $warpRows; part += 1) {
  BARRIER();
  if (warpRow == part) {
    UNROLL for (int s = 0; s < $sumCount; s += 1) {
      const int row = $sumRow;
      const int column = warpColumn * $itemColumns + $sumColumn;
      results[row * ($tileColumns + 8) + column] = sums[s];
    }
  }
  BARRIER();
  for (int position = lid; position < $itemRows * $tileColumns; position += $items) {
    const int row = position / $tileColumns;
    const $index tiledRow = tileRow * $tileRows + part * $itemRows + row;
    const $index tiledColumn = tileColumn * $tileColumns + position % $tileColumns;
    if (tiledRow >= $rows || tiledColumn >= $columns) continue;
    const $V core = results[row * ($tileColumns + 8) + position % $tileColumns];
    $OUTPUT
    $ROW
    $EPILOGUE
  }
}
