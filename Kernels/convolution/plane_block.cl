// Computes $tileRows output channels of convolution/plane.cl at positions `begin` to `end - 1` of one plane. Then
// stores the results of the positions that are outputs: the first $outputW of each row of $targetW positions. `first`
// points to the first element of the plane in the first input channel. plane.cl explains $blocks, $channels, $groups,
// $imageStride, $planes, $space and $vectors.
//
//   $rows: the output channels of a group; $outputH: the rows of outputs in a plane
//   $firstImage: the number of images of earlier launches; `image` counts the images of this launch
//   $weights: the weights as pack_plane_weights.cl packs them; $taps: the number of taps
//   $tapTable: the index in `geometry` of the table with the offset of each tap
//   $stageWidth: the number of positions whose sums `stage` can hold, for each output channel
//   $ROW, $EPILOGUE: see matmul/vector.cl; `output` is the index of (image, output channel, plane, h)
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
