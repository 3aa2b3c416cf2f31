// A product by tiles of $tile × $tile results: a group of $items work-items brings $step columns of the
// left matrix and rows of the right one to shared memory, then each work-item adds to 8 × 8 results,
// $tile / 8 apart so that neighbours read neighbours. Where the elements come from and what becomes of a
// result is given: a convolution is the product of matrices that are never written down.
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
$T sums[8][8];
UNROLL for (int i = 0; i < 8; i += 1) {
  UNROLL for (int j = 0; j < 8; j += 1) sums[i][j] = 0;
}
for ($index start = $begin; start < $end; start += $step) {
  for (int element = lid; element < $tile * $step; element += $items) {
    const int i = $leftRow;
    const int k = $leftDepth;
    const $index row = tileRow * $tile + i;
    const $index depth = start + k;
    $V value = 0;
    if (row < $rows && depth < $end) {
      $LEFT
    }
    left[k * ($tile + 1) + i] = value;
  }
  for (int element = lid; element < $tile * $step; element += $items) {
    const int j = $rightColumn;
    const int k = $rightDepth;
    const $index column = tileColumn * $tile + j;
    const $index depth = start + k;
    $V value = 0;
    if (column < $columns && depth < $end) {
      $RIGHT
    }
    right[k * ($tile + 1) + j] = value;
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
  const $index tiledRow = tileRow * $tile + y + (place / 8) * ($tile / 8);
  const $index tiledColumn = tileColumn * $tile + x + (place % 8) * ($tile / 8);
  if (tiledRow >= $rows || tiledColumn >= $columns) continue;
  const $V core = results[place];
  $PLACE
  $ROW
  $EPILOGUE
}
