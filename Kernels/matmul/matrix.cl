// A matrix product with matrix units (mma instructions, see prelude/matrix.h). Each work-group computes a tile of
// $tileRows × $tileColumns results. A step adds $depth terms: 64 bytes of each row of the left factor and of each
// column of the right one. Local memory has $stages stages, each with the factors of one step. While the warps of a
// group multiply the factors of one step, the copies of the factors of the next $stages - 1 steps are under way
// (cp.async, if the factors are aligned). Each warp computes $itemRows × $itemColumns results, in blocks of 16 × 8. At
// the end, the warps store their sums in local memory, one row of warps at a time. From there, neighboring work-items
// store neighboring results, so that stores to global memory are coalesced.
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
//   $LOADLEFT, $LOADRIGHT: load 16 rows or columns, which begin at `line`, from local memory to the $registers
//       registers `a` or `b[j]`; they load only the terms of half `k` of the step
//   $ROUNDLEFT, $ROUNDRIGHT: round each number in `a` or `b[j]` to TF32, or split it into two TF32 numbers, or are
//       empty
//   $MULTIPLY: adds the product of `a` and 8 columns, one half of `b[j / 2]`, to `sums[i][j]`
//   $OUTPUT: sets `output` and `column`, the place of the result at `tiledRow` and `tiledColumn`, for $EPILOGUE
//   $ROW, $EPILOGUE: see vector.cl
//
// Parameters: $BATCH, $COPYLEFT, $COPYRIGHT, $EPILOGUE, $LOADLEFT, $LOADRIGHT, $MULTIPLY, $OUTPUT, $ROUNDLEFT,
// $ROUNDRIGHT, $ROW, $T, $V, $begin, $columnTiles, $columns, $depth, $end, $index, $itemColumns, $itemRows, $items,
// $leftWords, $registers, $rightWords, $rowTiles, $rows, $stages, $tileColumns, $tileRows, $warpColumns, $warpRows.
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
$T sums[$itemRows / 16][$itemColumns / 8][4];
UNROLL for (int i = 0; i < $itemRows / 16; i += 1) {
  UNROLL for (int j = 0; j < $itemColumns / 8; j += 1) {
    UNROLL for (int q = 0; q < 4; q += 1) sums[i][j][q] = 0;
  }
}
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
  UNROLL for (int k = 0; k < 2; k += 1) {
    u32 b[$itemColumns / 16][$registers];
    UNROLL for (int j = 0; j < $itemColumns / 16; j += 1) {
      const int line = warpColumn * $itemColumns + j * 16;
      $LOADRIGHT
      $ROUNDRIGHT
    }
    UNROLL for (int i = 0; i < $itemRows / 16; i += 1) {
      u32 a[$registers];
      const int line = warpRow * $itemRows + i * 16;
      $LOADLEFT
      $ROUNDLEFT
      UNROLL for (int j = 0; j < $itemColumns / 8; j += 1) {
        $MULTIPLY
      }
    }
  }
}
$T *const results = ($T *)tiles;
for (int part = 0; part < $warpRows; part += 1) {
  BARRIER();
  if (warpRow == part) {
    UNROLL for (int i = 0; i < $itemRows / 16; i += 1) {
      UNROLL for (int j = 0; j < $itemColumns / 8; j += 1) {
        UNROLL for (int q = 0; q < 4; q += 1) {
          const int row = i * 16 + q / 2 * 8 + lane / 4;
          const int column = warpColumn * $itemColumns + j * 8 + lane % 4 * 2 + q % 2;
          results[row * ($tileColumns + 8) + column] = sums[i][j][q];
        }
      }
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
