// A convolution over images that convolution/image.cl prepared: the element that a tap needs for the
// output at place q of the plane lies at q plus a constant. A work-item keeps $tileRows channels of
// $vectors registers of neighbouring places:
//
//                   q q+1 …          q runs through rows of the prepared width; the places at the end
//   row (channel) [ sums   ]         of each row that belong to no output are left out in the end.
//
//   sums[row][q] += weights[channel][tap][row] · image[channel][q + offset of tap]
$index rest = GROUP_ID();
const $index chunk = rest % $chunks;
rest = rest / $chunks;
const $index plane = rest % $planes;
rest = rest / $planes;
const $index block = rest % $blocks;
rest = rest / $blocks;
const $index group = rest % $groups;
const $index image = rest / $groups;
GLOBAL const $T *first = $images + (image * $groups + group) * $channels * $imageStride + plane * $planeStride;
GLOBAL const $T *packed = $weights + (group * $blocks + block) * $channels * $taps * $tileRows;
const $index begin = chunk * $chunkSize;
const $index end = SMALLER(begin + $chunkSize, $placeCount);
$T stage[$tileRows * $stageWidth + WIDTH];
for ($index q = begin; q < end; q += $vectors * WIDTH) {
  $V sums[$tileRows][$vectors];
  UNROLL for (int m = 0; m < $tileRows; m += 1) {
    UNROLL for (int v = 0; v < $vectors; v += 1) sums[m][v] = $zero;
  }
  GLOBAL const $T *weight = packed;
  for ($index channel = 0; channel < $channels; channel += 1) {
    GLOBAL const $T *origin = first + channel * $imageStride + q;
    for (int tap = 0; tap < $taps; tap += 1) {
      GLOBAL const $T *from = origin + geometry[$tapTable + tap];
      $V b[$vectors];
      UNROLL for (int v = 0; v < $vectors; v += 1) b[v] = VLOAD(from + v * WIDTH);
      UNROLL for (int m = 0; m < $tileRows; m += 1) {
        const $V a = ($V)(weight[m]);
        UNROLL for (int v = 0; v < $vectors; v += 1) sums[m][v] = ACCUMULATE_$lane(a, b[v], sums[m][v]);
      }
      weight += $tileRows;
    }
  }
  UNROLL for (int m = 0; m < $tileRows; m += 1) {
    UNROLL for (int v = 0; v < $vectors; v += 1) {
      VSTORE(sums[m][v], stage + m * $stageWidth + (q - begin) + v * WIDTH);
    }
  }
}
const int held = (int)SMALLER($rows - block * $tileRows, ($index)$tileRows);
for (int m = 0; m < held; m += 1) {
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
