// The gradient of the weights for channels-last images, from x, the input, and y, the gradient of the output. A tap is
// a position in the convolution's kernel. For each tap, channel of x and channel of y, the code below sums the products
// of x and y over all pixels:
//
//                      ┌ panel of y ┐
//   pixel ───────────  │  b0    b1  │     columns: channels of y
//   channel of x │ a   │    sums    │     rows: channels of x
//
// For each pixel of y, the kernel multiplies elements `a`, at the pixel of x that the tap reads, by the vectors `b0`
// and `b1`, at the pixel of y. It leaves out pixels for which the tap reads outside of x. A panel is $vectors registers
// of neighboring channels. A tile is the sums of $tileRows channels of x and one panel, for one tap.
//
// One work-item sums some rows of pixels for some tiles. It processes one block of rows for all its tiles before the
// next block, so that the block stays in a cache. Between blocks, `stage` keeps the sums; it has room for $stageTiles
// tiles. At the end, the kernel writes them to target [part, tap, channel of x, padded channel of y]; the rows of one
// work-item are a part.
//
//   $x, $y: pointers to x and y, with elements of type $dtype (in C: $storage)
//   $imageHeight × $imageWidth, $channels: the pixels and channels of x; $gridHeight × $gridWidth, $columns: those of y
//   $stepDown, $stepAcross: the stride of the convolution
//   $rows: the rows of pixels of y in all images, with $rowsPerPart in a part and $rowsPerBlock in a block
//   $panels: the number of panels; $taps: the number of taps
//   $tapsPerItem, $channelsPerItem: the taps and channels of x of a work-item; $tapBlocks, $channelBlocks: the number
//       of work-items along each of these two axes
//   $tapTable: the index in `geometry` of a table with four numbers for each tap: the offset of its pixel, down and
//       across, and the first and the end of the range of pixels in a row of y for which this pixel is inside of x
//   $FACTORS: converts channels of x to the array `factors`, or is empty; $factor: channel m, in `factors` or in memory
//
// Parameters: $FACTORS, $T, $V, $channelBlocks, $channels, $channelsPerItem, $columns, $dtype, $factor, $gridHeight,
// $gridWidth, $imageHeight, $imageWidth, $index, $lane, $panels, $rows, $rowsPerBlock, $rowsPerPart, $stageTiles,
// $stepAcross, $stepDown, $storage, $tapBlocks, $tapTable, $taps, $tapsPerItem, $target, $tileRows, $vectors, $x, $y,
// $zero.
$index rest = GROUP_ID();
const $index panel = rest % $panels;
rest = rest / $panels;
const $index tapBlock = rest % $tapBlocks;
rest = rest / $tapBlocks;
const $index channelBlock = rest % $channelBlocks;
const $index part = rest / $channelBlocks;
const $index lastTap = SMALLER((tapBlock + 1) * $tapsPerItem, $taps);
const $index lastChannel = SMALLER((channelBlock + 1) * $channelsPerItem, $channels);
const $index firstRow = part * $rowsPerPart;
const $index lastRow = SMALLER(firstRow + $rowsPerPart, $rows);
PRIVATE_ARRAY($T, stage, $stageTiles * $tileRows * $vectors * WIDTH);
for ($index block = firstRow; block < lastRow; block += $rowsPerBlock) {
  const $index stop = SMALLER(block + $rowsPerBlock, lastRow);
  const $index firstImage = block / $gridHeight;
  const $index firstLine = block - firstImage * $gridHeight;
  $T *partials = stage;
  for ($index tap = tapBlock * $tapsPerItem; tap < lastTap; tap += 1) {
    GLOBAL const i64 *where = geometry + $tapTable + 4 * tap;
    const $index tapDown = where[0];
    const $index from = where[2];
    const $index until = where[3];
    for ($index channel = channelBlock * $channelsPerItem; channel < lastChannel; channel += $tileRows) {
      $V sums[$tileRows][$vectors];
      CLEAR_TILE(sums, $tileRows, $vectors, $zero);
      if (block > firstRow) LOAD_TILE(sums, $tileRows, $vectors, partials, $vectors * WIDTH);
      GLOBAL const $storage *image = $x + firstImage * $imageHeight * $imageWidth * $channels + channel +
                               (from * $stepAcross + where[1]) * $channels;
      GLOBAL const $storage *gradient = $y + (block * $gridWidth + from) * $columns + panel * $vectors * WIDTH;
      $index line = firstLine;
      for ($index row = block; row < stop; row += 1) {
        const $index imageLine = line * $stepDown + tapDown;
        if (imageLine >= 0 && imageLine < $imageHeight) {
          GLOBAL const $storage *left = image + imageLine * $imageWidth * $channels;
          GLOBAL const $storage *right = gradient;
          for ($index i = from; i < until; i += 1) {
            $V b[$vectors];
            UNROLL for (int v = 0; v < $vectors; v += 1) b[v] = LOAD_$dtype(right, v * WIDTH, WIDTH);
            $FACTORS
            UNROLL for (int m = 0; m < $tileRows; m += 1) {
              const $V a = ($V)($factor);
              UNROLL for (int v = 0; v < $vectors; v += 1) sums[m][v] = ACCUMULATE_$lane(a, b[v], sums[m][v]);
            }
            left += $stepAcross * $channels;
            right += $columns;
          }
        }
        gradient += $gridWidth * $columns;
        line += 1;
        if (line == $gridHeight) {
          line = 0;
          image += $imageHeight * $imageWidth * $channels;
        }
      }
      STORE_TILE(sums, $tileRows, $vectors, partials, $vectors * WIDTH);
      partials += $tileRows * $vectors * WIDTH;
    }
  }
}
const $T *partials = stage;
for ($index tap = tapBlock * $tapsPerItem; tap < lastTap; tap += 1) {
  for ($index channel = channelBlock * $channelsPerItem; channel < lastChannel; channel += $tileRows) {
    const int height = (int)SMALLER(lastChannel - channel, ($index)$tileRows);
    for (int m = 0; m < height; m += 1) {
      GLOBAL $T *to = $target + (((part * $taps + tap) * $channels + channel + m) * $panels + panel) * $vectors * WIDTH;
      for (int v = 0; v < $vectors; v += 1) VSTORE(VLOAD(partials + (m * $vectors + v) * WIDTH), to + v * WIDTH);
    }
    partials += $tileRows * $vectors * WIDTH;
  }
}
