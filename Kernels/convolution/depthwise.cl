// A depthwise convolution with $tapsH × $tapsW taps, row by row. The kernel loads each vector register of pixels once
// for all $tileRows rows of results that use it.
//
//   sums[m][column] += weights[u − m][s] · image[h + u][column + s]     m: row of results, u: row of pixels, both
//                                                                       counted from row h; s: column of taps
//
// One work-item computes the results of one plane, a channel of an image, in blocks of $tileRows rows × $vectors
// registers. First, it copies the pixels of the plane to a private array, with zeros around them.
//
//   $IMAGE: image_copy.cl, copies the plane to `copy`; $targetH × $targetW: the size of the copy
//   $preparedSize: the largest number of elements of a copy
//   $groups: the number of channels; $outputH × $outputW: the size of a plane of results
//   $weights, $weightOffset: the array of weights, of type $dtype, and the offset of the first weight
//   $tap: the index of tap (u − m, s) of a channel; for the gradient of the input, counted from the last tap
//   $ROW, $EPILOGUE: see matmul/vector.cl; `output` counts the rows of all planes
//
// Parameters: $EPILOGUE, $IMAGE, $ROW, $T, $V, $dtype, $groups, $index, $lane, $outputH, $outputW, $preparedSize, $tap,
// $tapsH, $tapsW, $targetH, $targetW, $tileRows, $vectors, $weightOffset, $weights, $zero.
const $index group = GROUP_ID() % $groups;
PRIVATE_ARRAY($T, prepared, $preparedSize + WIDTH);
{
  const $index firstRow = 0;
  const $index lastRow = $targetH;
  $T *copy = prepared;
  $IMAGE
}
const $index weight = $weightOffset + group * ($tapsH * $tapsW);
for ($index h = 0; h < $outputH; h += $tileRows) {
  const int height = (int)SMALLER($outputH - h, ($index)$tileRows);
  for ($index start = 0; start < $outputW; start += $vectors * WIDTH) {
    $V sums[$tileRows][$vectors];
    CLEAR_TILE(sums, $tileRows, $vectors, $zero);
    const $T *from = prepared + h * $targetW + start;
    UNROLL for (int u = 0; u < $tileRows + $tapsH - 1; u += 1) {
      UNROLL for (int s = 0; s < $tapsW; s += 1) {
        $V b[$vectors];
        UNROLL for (int v = 0; v < $vectors; v += 1) b[v] = VLOAD(from + u * $targetW + s + v * WIDTH);
        UNROLL for (int m = 0; m < $tileRows; m += 1) {
          if (u >= m && u - m < $tapsH) {
            const $V a = SPLAT_$dtype($weights, weight + $tap);
            UNROLL for (int v = 0; v < $vectors; v += 1) sums[m][v] = ACCUMULATE_$lane(a, b[v], sums[m][v]);
          }
        }
      }
    }
    PRIVATE_ARRAY($T, stage, $tileRows * $vectors * WIDTH);
    STORE_TILE(sums, $tileRows, $vectors, stage, $vectors * WIDTH);
    for (int m = 0; m < height; m += 1) {
      const $index output = GROUP_ID() * $outputH + h + m;
      $ROW
      for (int v = 0; v < $vectors; v += 1) {
        const $index column = start + v * WIDTH;
        const int count = (int)SMALLER($outputW - column, ($index)WIDTH);
        if (count <= 0) break;
        const $V core = VLOAD(stage + (m * $vectors + v) * WIDTH);
        $EPILOGUE
      }
    }
  }
}
