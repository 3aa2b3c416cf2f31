// Computes $tileRows output channels of convolution/vector.cl at positions `begin` to `end - 1` of one plane. Then
// stores the results of the positions that are outputs: the first $outputW of each row of $targetW positions. `first`
// points to the first element of the plane in the first input channel.
//
// Parameters: $EPILOGUE, $ROW, $T, $V, $blocks, $channels, $firstImage, $groups, $imageStride, $index, $lane, $outputH,
// $outputW, $planes, $rows, $space, $stageWidth, $tapTable, $taps, $targetW, $tileRows, $vectors, $weights, $zero.
PRIVATE_ARRAY($T, stage, $tileRows * $stageWidth + WIDTH);
for ($index q = begin; q < end; q += $vectors * WIDTH) {
  $V sums[$tileRows][$vectors];
  CLEAR_TILE(sums, $tileRows, $vectors, $zero);
  GLOBAL const $T *weight = $weights + (group * $blocks + block) * $channels * $taps * $tileRows;
  for ($index channel = 0; channel < $channels; channel += 1) {
    $space const $T *origin = first + channel * $imageStride + q;
    for (int tap = 0; tap < $taps; tap += 1) {
      $space const $T *from = origin + geometry[$tapTable + tap];
      $V b[$vectors];
      UNROLL for (int v = 0; v < $vectors; v += 1) b[v] = VLOAD(from + v * WIDTH);
      UNROLL for (int m = 0; m < $tileRows; m += 1) {
        const $V a = ($V)(weight[m]);
        UNROLL for (int v = 0; v < $vectors; v += 1) sums[m][v] = ACCUMULATE_$lane(a, b[v], sums[m][v]);
      }
      weight += $tileRows;
    }
  }
  STORE_TILE(sums, $tileRows, $vectors, stage + (q - begin), $stageWidth);
}
const int remaining = (int)SMALLER($rows - block * $tileRows, ($index)$tileRows);
for (int m = 0; m < remaining; m += 1) {
  const $index channel = (group * $rows + block * $tileRows + m) + ($firstImage + image) * $groups * $rows;
  for ($index h = begin / $targetW; h * $targetW < end; h += 1) {
    const $index output = (channel * $planes + plane) * $outputH + h;
    $ROW
    const $index stop = SMALLER($outputW, end - h * $targetW);
    for ($index column = LARGER(begin - h * $targetW, ($index)0); column < stop; column += WIDTH) {
      const int count = (int)SMALLER(stop - column, ($index)WIDTH);
      const $V core = VLOAD(stage + m * $stageWidth + (h * $targetW + column - begin));
      $EPILOGUE
    }
  }
}
