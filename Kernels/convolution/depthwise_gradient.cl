// The gradient of the weights of a depthwise convolution with $tapsH × $tapsW taps, from x, the input, and y, the
// gradient of the output. For each tap, the kernel sums the products of x and y over images and pixels. It works row by
// row and loads each register of x once for all $tileRows rows of y that use it.
//
//   sums[u − m][s] += y[h + m][column] · x[h + u][column + s]     m: row of y, u: row of x, both counted from
//                                                                 row h; s: column of taps
//
// A plane is one channel of one image. One work-item sums the planes of one channel over some of the images (a part).
// It copies the planes to private arrays, with zeros around them. The lanes of a vector register are neighboring
// pixels; at the end, the kernel adds the lanes of each sum.
//
//   $INPUT, $OUTPUT: image_copy.cl, copies a plane of x or y to `copy`; $preparedSize: the largest size of a copy
//   $inputRows × $inputW, $outputRows × $outputW: the size of the copy of a plane of x and of y
//   $groups: the number of channels; $imageCount: the number of images, $imagesPerPart of one part
//   $target: the sums [part, channel, tap]; a later launch adds the parts
//
// Parameters: $INPUT, $OUTPUT, $T, $V, $groups, $imageCount, $imagesPerPart, $index, $inputRows, $inputW, $lane,
// $outputRows, $outputW, $preparedSize, $tapsH, $tapsW, $target, $tileRows, $zero.
const $index group = GROUP_ID() % $groups;
const $index part = GROUP_ID() / $groups;
const $index stop = SMALLER((part + 1) * $imagesPerPart, $imageCount);
PRIVATE_ARRAY($T, x, $preparedSize + WIDTH);
PRIVATE_ARRAY($T, y, $preparedSize + WIDTH);
$V sums[$tapsH * $tapsW];
UNROLL for (int tap = 0; tap < $tapsH * $tapsW; tap += 1) sums[tap] = $zero;
for ($index image = part * $imagesPerPart; image < stop; image += 1) {
  const $index firstRow = 0;
  {
    const $index lastRow = $inputRows;
    $T *copy = x;
    $INPUT
  }
  {
    const $index lastRow = $outputRows;
    $T *copy = y;
    $OUTPUT
  }
  for ($index h = 0; h < $outputRows; h += $tileRows) {
    for ($index column = 0; column < $outputW; column += WIDTH) {
      const $T *left = x + h * $inputW + column;
      const $T *right = y + h * $outputW + column;
      $V b[$tileRows];
      UNROLL for (int m = 0; m < $tileRows; m += 1) b[m] = VLOAD(right + m * $outputW);
      UNROLL for (int u = 0; u < $tileRows + $tapsH - 1; u += 1) {
        UNROLL for (int s = 0; s < $tapsW; s += 1) {
          const $V a = VLOAD(left + u * $inputW + s);
          UNROLL for (int m = 0; m < $tileRows; m += 1) {
            if (u >= m && u - m < $tapsH) {
              sums[(u - m) * $tapsW + s] = ACCUMULATE_$lane(a, b[m], sums[(u - m) * $tapsW + s]);
            }
          }
        }
      }
    }
  }
}
$V results[$tapsH * $tapsW];
UNROLL for (int tap = 0; tap < $tapsH * $tapsW; tap += 1) results[tap] = sums[tap];
for (int tap = 0; tap < $tapsH * $tapsW; tap += 1) {
  $V sum = results[tap];
  for (int span = WIDTH / 2; span > 0; span /= 2) sum = sum + ROTATE_$lane(sum, span);
  $target[GROUP_ID() * ($tapsH * $tapsW) + tap] = FIRST_$lane(sum);
}
