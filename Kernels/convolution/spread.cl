// The gradient of the input of a strided convolution with a kernel of one element. Earlier launches computed source
// [plane, d, h, w]. This launch copies the source to the elements whose coordinates are multiples of the stride; all
// other elements are 0. A plane is one channel of one image.
//
// One work-item computes $rowsPerItem rows of the result.
//
//   $extentD × $extentH × $extentW, $sourceD × $sourceH × $sourceW: the size of a plane of the result and of the source
//   $stepD, $stepH: the stride; $rows: the number of rows of all planes
//   $SPREAD: spread_two.cl or spread_any.cl, spreads a row of the source, at `from`, over the lanes of `core`
//   $ROW, $EPILOGUE: see matmul/vector.cl; `output` counts the rows of all planes
//
// Parameters: $EPILOGUE, $ROW, $SPREAD, $T, $V, $extentD, $extentH, $extentW, $index, $rows, $rowsPerItem, $source,
// $sourceD, $sourceH, $sourceW, $stepD, $stepH, $zero.
const $index end = SMALLER((GROUP_ID() + 1) * $rowsPerItem, $rows);
for ($index output = GROUP_ID() * $rowsPerItem; output < end; output += 1) {
  const $index h = output % $extentH;
  const $index d = output / $extentH % $extentD;
  const $index plane = output / $extentH / $extentD;
  const int isInside = h % $stepH == 0 && h / $stepH < $sourceH && d % $stepD == 0 && d / $stepD < $sourceD;
  GLOBAL const $T *from = $source + ((plane * $sourceD + d / $stepD) * $sourceH + h / $stepH) * $sourceW;
  $ROW
  for ($index column = 0; column < $extentW; column += WIDTH) {
    const int count = (int)SMALLER($extentW - column, ($index)WIDTH);
    $V core = $zero;
    if (isInside) {
      $SPREAD
    }
    $EPILOGUE
  }
}
