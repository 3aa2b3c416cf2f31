// A product by tiles of $tile × $tile results: a group of $items work-items brings $step columns of A and
// rows of B to shared memory, then each work-item adds to 8 × 8 results, $tile / 8 apart so that
// neighbours read neighbours.
//
//   group → (batch, tile row, tile column)      work-item → (x, y) in the tile
$index rest = GROUP_ID();
const $index tileColumn = rest % $tileColumns;
rest = rest / $tileColumns;
const $index tileRow = rest % $tileRows;
const $index batch = rest / $tileRows;
$BATCH
const int lid = LOCAL_ID();
const int x = lid % ($tile / 8);
const int y = lid / ($tile / 8);
const $index firstRow = tileRow * $tile;
const $index firstColumn = tileColumn * $tile;
$T sums[8][8];
UNROLL for (int i = 0; i < 8; i += 1) {
  UNROLL for (int j = 0; j < 8; j += 1) sums[i][j] = 0;
}
for ($index start = 0; start < $depth; start += $step) {
  for (int element = lid; element < $tile * $step; element += $items) {
    const int m = $leftRow;
    const int k = $leftDepth;
    const $index row = firstRow + m;
    left[k * ($tile + 1) + m] =
        row < $rows && start + k < $depth ? LOAD_$dtype($A, $leftOffset + row * $rowStride + (start + k) * $kStride, 1) : ($T)0;
  }
  for (int element = lid; element < $tile * $step; element += $items) {
    const int n = $rightColumn;
    const int k = $rightDepth;
    const $index column = firstColumn + n;
    right[k * ($tile + 1) + n] =
        column < $columns && start + k < $depth ? LOAD_$dtype($B, $rightOffset + (start + k) * $bStride + column * $columnStride, 1) : ($T)0;
  }
  BARRIER();
  for (int k = 0; k < $step; k += 1) {
    $T a[8];
    $T b[8];
    UNROLL for (int i = 0; i < 8; i += 1) a[i] = left[k * ($tile + 1) + y + i * ($tile / 8)];
    UNROLL for (int j = 0; j < 8; j += 1) b[j] = right[k * ($tile + 1) + x + j * ($tile / 8)];
    UNROLL for (int i = 0; i < 8; i += 1) {
      UNROLL for (int j = 0; j < 8; j += 1) sums[i][j] = ACCUMULATE_$lane(a[i], b[j], sums[i][j]);
    }
  }
  BARRIER();
}
// A copy, so that only it is addressed by a variable and the sums stay in registers.
$T results[64];
UNROLL for (int i = 0; i < 8; i += 1) {
  UNROLL for (int j = 0; j < 8; j += 1) results[i * 8 + j] = sums[i][j];
}
for (int place = 0; place < 64; place += 1) {
  const $index row = firstRow + y + (place / 8) * ($tile / 8);
  const $index column = firstColumn + x + (place % 8) * ($tile / 8);
  if (row >= $rows || column >= $columns) continue;
  const $index output = batch * $rows + row;
  const $V core = results[place];
  $ROW
  $EPILOGUE
}
