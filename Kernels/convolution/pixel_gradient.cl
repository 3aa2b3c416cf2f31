// The gradient of the weights for channels-last images, from x, the input, and y, the gradient of the output. A tap is
// a position in the convolution's kernel. For each tap, channel of x and channel of y, the code below sums the products
// of x and y over all pixels:
//
//              ┌ panel of y ┐
//   pixel ───  │  b0   b1   │     A tile is $tileRows channels of x at one tap by one panel of y. Pixels that
//   c │ x →    │ sums       │     a tap reads outside of the image are left out.
//
// A panel is $vectors registers of neighboring channels. One work-item sums some rows of pixels for some tiles. It
// processes one block of rows for all its tiles before the next block, so that the block stays in a cache. Between
// blocks, `stage` keeps the sums. At the end, the kernel writes them to target [part, tap, channel of x, padded
// channel of y]; the rows of one work-item are a part.
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
