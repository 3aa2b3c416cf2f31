// The gradient of the weights: for each channel of y and each (channel of x, tap) the sum over images and
// places of their products, over images that convolution/image.cl prepared to the same width. Lanes are
// neighbouring places; they are added up at the end.
//
//   sums[i][j] += y[image, row i][q] · x[image][q + offset of (channel, tap) j]
//
// One work-item computes $tileRows × $tileColumns sums over some of the images.
$index rest = GROUP_ID();
const $index blockColumn = rest % $blockColumns;
rest = rest / $blockColumns;
const $index block = rest % $blocks;
rest = rest / $blocks;
const $index group = rest % $groups;
const $index part = rest / $groups;
$V sums[$tileRows][$tileColumns];
$index rowOffset[$tileRows];
$index columnOffset[$tileColumns];
UNROLL for (int i = 0; i < $tileRows; i += 1) {
  rowOffset[i] = (group * $rows + SMALLER(block * $tileRows + i, $rows - 1)) * $leftStride;
  UNROLL for (int j = 0; j < $tileColumns; j += 1) sums[i][j] = $zero;
}
UNROLL for (int j = 0; j < $tileColumns; j += 1) {
  columnOffset[j] = group * $channels * $rightStride +
      geometry[$tapTable + SMALLER(blockColumn * $tileColumns + j, $columns - 1)];
}
const $index stop = SMALLER((part + 1) * $imagesPerPart, $imageCount);
for ($index image = part * $imagesPerPart; image < stop; image += 1) {
  GLOBAL const $T *left = $left + image * $groups * $rows * $leftStride;
  GLOBAL const $T *right = $right + image * $groups * $channels * $rightStride;
  for ($index q = 0; q < $placeCount; q += WIDTH) {
    $V b[$tileColumns];
    UNROLL for (int j = 0; j < $tileColumns; j += 1) b[j] = VLOAD(right + columnOffset[j] + q);
    UNROLL for (int i = 0; i < $tileRows; i += 1) {
      const $V a = VLOAD(left + rowOffset[i] + q);
      UNROLL for (int j = 0; j < $tileColumns; j += 1) sums[i][j] = ACCUMULATE_$lane(a, b[j], sums[i][j]);
    }
  }
}
$V results[$tileRows * $tileColumns];
UNROLL for (int i = 0; i < $tileRows; i += 1) {
  UNROLL for (int j = 0; j < $tileColumns; j += 1) results[i * $tileColumns + j] = sums[i][j];
}
for (int place = 0; place < $tileRows * $tileColumns; place += 1) {
  const $index row = block * $tileRows + place / $tileColumns;
  const $index column = blockColumn * $tileColumns + place % $tileColumns;
  if (row >= $rows || column >= $columns) continue;
  $V sum = results[place];
  for (int span = WIDTH / 2; span > 0; span /= 2) sum = sum + ROTATE_$lane(sum, span);
  $target[((($firstPart + part) * $groups + group) * $rows + row) * $columns + column] = FIRST_$lane(sum);
}
