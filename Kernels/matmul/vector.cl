// A product by tiles of $tileRows rows and $vectors registers of columns, kept in registers: for each k,
// every element of a column of A times a row of the panel of B.
//
//            ┌ panel ┐            A is read in place: element (m, k) at m·$rowStride + k·$kStride.
//   k  ────  │ b0 b1 │            B is packed in panels, or has rows of whole panels.
//   m │ a →  │ c0 c1 │            Rows past the last repeat it and are not stored.
//
// One work-item computes some tiles below each other in one panel.
$index rest = GROUP_ID();
const $index chunk = rest % $chunks;
rest = rest / $chunks;
const $index panel = rest % $panels;
const $index batch = rest / $panels;
$BATCH
GLOBAL const $T *right = $B + $rightOffset + panel * $panelStride;
const $index end = SMALLER((chunk + 1) * $tilesPerItem, $tiles);
for ($index tile = chunk * $tilesPerItem; tile < end; tile += 1) {
  const $index first = tile * $tileRows;
  GLOBAL const $T *left[$tileRows];
  $V sums[$tileRows][$vectors];
  UNROLL for (int m = 0; m < $tileRows; m += 1) {
    left[m] = $A + $leftOffset + SMALLER(first + m, $rows - 1) * $rowStride;
    UNROLL for (int v = 0; v < $vectors; v += 1) sums[m][v] = $zero;
  }
  GLOBAL const $T *row = right;
  for ($index k = 0; k < $depth; k += 1) {
    $V b[$vectors];
    UNROLL for (int v = 0; v < $vectors; v += 1) b[v] = VLOAD(row + v * WIDTH);
    UNROLL for (int m = 0; m < $tileRows; m += 1) {
      const $V a = ($V)(left[m][k * $kStride]);
      UNROLL for (int v = 0; v < $vectors; v += 1) {
        sums[m][v] = ACCUMULATE_$lane(a, b[v], sums[m][v]);
      }
    }
    row += $bStride;
  }
  $T results[$tileRows * $vectors * WIDTH];
  UNROLL for (int m = 0; m < $tileRows; m += 1) {
    UNROLL for (int v = 0; v < $vectors; v += 1) {
      VSTORE(sums[m][v], results + (m * $vectors + v) * WIDTH);
    }
  }
  const int held = (int)SMALLER($rows - first, ($index)$tileRows);
  for (int m = 0; m < held; m += 1) {
    const $index output = batch * $rows + first + m;
    $ROW
    for (int v = 0; v < $vectors; v += 1) {
      const $index column = (panel * $vectors + v) * WIDTH;
      const int count = (int)SMALLER($columns - column, ($index)WIDTH);
      if (count <= 0) break;
      const $V core = VLOAD(results + (m * $vectors + v) * WIDTH);
      $EPILOGUE
    }
  }
}
