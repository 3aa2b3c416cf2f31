// The gradient of the weights from x, the input, and y, the gradient of the output. For each channel of y and each pair
// (channel of x, tap), the kernel sums the products of y and x over images and positions. Both x and y are in the
// layout of convolution/image.cl with rows of equal length, so that the difference between the positions of the two
// factors of a product depends only on the tap. The lanes of a vector register are neighboring positions; at the end,
// the kernel adds the lanes of each sum.
//
//   sums[i][j] += y[image][channel i][q] · x[image][q + offset of (channel, tap) j]     q: position
//
// One work-item computes some tiles of $tileRows × $tileColumns sums over some of the images (a part). It processes one
// block of images and positions for all its tiles before the next block, so that the block stays in a cache. Between
// blocks, `stage` stores the sums; it has room for $stageTiles tiles.
//
//   $rows × $columns: the sums of one group of channels: channels of y × pairs; $channels: the channels of x of a group
//   $groups: the number of these groups (of the convolution)
//   $blocks × $blockColumns: the tiles of a group, vertically and horizontally; a work-item computes up to
//       $rowsPerItem × $columnsPerItem of these tiles; $rowChunks × $columnChunks: the work-items of a group and part
//   $imageCount: the images of this launch, with $imagesPerPart in a part and $imagesPerBlock in a block
//   $positionCount: the positions of a channel, with $positionsPerBlock in a block
//   $left, $right: y and x, with $leftStride and $rightStride elements for each channel of an image
//   $tapTable: the index in `geometry` of the table with the offset of each pair
//   $target: the sums [part, group, row, column]; $firstPart: the number of parts of earlier launches
//
// Parameters: $T, $V, $blockColumns, $blocks, $channels, $columnChunks, $columns, $columnsPerItem, $firstPart, $groups,
// $imageCount, $imagesPerBlock, $imagesPerPart, $index, $lane, $left, $leftStride, $positionCount, $positionsPerBlock,
// $right, $rightStride, $rowChunks, $rows, $rowsPerItem, $stageTiles, $tapTable, $target, $tileColumns, $tileRows,
// $zero.
$index rest = GROUP_ID();
const $index columnChunk = rest % $columnChunks;
rest = rest / $columnChunks;
const $index rowChunk = rest % $rowChunks;
rest = rest / $rowChunks;
const $index group = rest % $groups;
const $index part = rest / $groups;
PRIVATE_ARRAY($T, stage, $stageTiles * $tileRows * $tileColumns * WIDTH);
const $index firstTileColumn = columnChunk * $columnsPerItem;
const $index lastTileColumn = SMALLER(firstTileColumn + $columnsPerItem, $blockColumns);
const $index firstTileRow = rowChunk * $rowsPerItem;
const $index lastTileRow = SMALLER(firstTileRow + $rowsPerItem, $blocks);
const $index firstImage = part * $imagesPerPart;
const $index stop = SMALLER(firstImage + $imagesPerPart, $imageCount);
for ($index block = firstImage; block < stop; block += $imagesPerBlock) {
  const $index lastImage = SMALLER(block + $imagesPerBlock, stop);
  for ($index position = 0; position < $positionCount; position += $positionsPerBlock) {
    const $index lastPosition = SMALLER(position + $positionsPerBlock, $positionCount);
    $T *partials = stage;
    for ($index blockColumn = firstTileColumn; blockColumn < lastTileColumn; blockColumn += 1) {
      $index columnOffset[$tileColumns];
      UNROLL for (int j = 0; j < $tileColumns; j += 1) {
        columnOffset[j] = group * $channels * $rightStride +
            geometry[$tapTable + SMALLER(blockColumn * $tileColumns + j, $columns - 1)];
      }
      for ($index blockRow = firstTileRow; blockRow < lastTileRow; blockRow += 1) {
        $V sums[$tileRows][$tileColumns];
        $index rowOffset[$tileRows];
        UNROLL for (int i = 0; i < $tileRows; i += 1) {
          rowOffset[i] = (group * $rows + SMALLER(blockRow * $tileRows + i, $rows - 1)) * $leftStride;
        }
        CLEAR_TILE(sums, $tileRows, $tileColumns, $zero);
        if (block > firstImage || position > 0) {
          LOAD_TILE(sums, $tileRows, $tileColumns, partials, $tileColumns * WIDTH);
        }
        for ($index image = block; image < lastImage; image += 1) {
          GLOBAL const $T *left = $left + image * $groups * $rows * $leftStride;
          GLOBAL const $T *right = $right + image * $groups * $channels * $rightStride;
          for ($index q = position; q < lastPosition; q += WIDTH) {
            $V b[$tileColumns];
            UNROLL for (int j = 0; j < $tileColumns; j += 1) b[j] = VLOAD(right + columnOffset[j] + q);
            UNROLL for (int i = 0; i < $tileRows; i += 1) {
              const $V a = VLOAD(left + rowOffset[i] + q);
              UNROLL for (int j = 0; j < $tileColumns; j += 1) sums[i][j] = ACCUMULATE_$lane(a, b[j], sums[i][j]);
            }
          }
        }
        STORE_TILE(sums, $tileRows, $tileColumns, partials, $tileColumns * WIDTH);
        partials += $tileRows * $tileColumns * WIDTH;
      }
    }
  }
}
// Adds the lanes of each sum, for WIDTH sums at a time: after the transpose, row i contains lane i of these sums, and
// the rows are added in pairs.
const $index height = lastTileRow - firstTileRow;
const $index sumCount = (lastTileColumn - firstTileColumn) * height * $tileRows * $tileColumns;
for ($index firstSum = 0; firstSum < sumCount; firstSum += WIDTH) {
  $V registers[WIDTH];
  UNROLL for (int i = 0; i < WIDTH; i += 1) registers[i] = VLOAD(stage + SMALLER(firstSum + i, sumCount - 1) * WIDTH);
  PRIVATE_ARRAY($T, lanes, WIDTH * WIDTH);
  TRANSPOSE(registers, lanes);
  for (int span = WIDTH / 2; span > 0; span /= 2) {
    for (int i = 0; i < span; i += 1) {
      VSTORE(VLOAD(lanes + i * WIDTH) + VLOAD(lanes + (span + i) * WIDTH), lanes + i * WIDTH);
    }
  }
  const int count = (int)SMALLER(sumCount - firstSum, ($index)WIDTH);
  for (int i = 0; i < count; i += 1) {
    const $index tile = (firstSum + i) / ($tileRows * $tileColumns);
    const $index position = firstSum + i - tile * $tileRows * $tileColumns;
    const $index row = (firstTileRow + tile % height) * $tileRows + position / $tileColumns;
    const $index column = (firstTileColumn + tile / height) * $tileColumns + position % $tileColumns;
    if (row >= $rows || column >= $columns) continue;
    $target[((($firstPart + part) * $groups + group) * $rows + row) * $columns + column] = lanes[i];
  }
}
