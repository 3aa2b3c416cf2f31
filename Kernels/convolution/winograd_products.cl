// The gradient of 3 × 3 weights from Winograd transforms of tiles of 4 × 4 results. At each of the 36 positions of the
// Winograd domain (see winograd.cl), a matrix product over tiles multiplies transformed patches by transformed
// gradients:
//
//                 ┌ gradients ┐
//   tile ───────  │  b0   b1  │     columns: channels of y (the output)
//   channel │ a   │   sums    │     rows: channels of x (the input)
//
// For each tile, the kernel multiplies an element `a` of the patch by the vectors `b0` and `b1` of the gradient. It
// adds the products to the row of the sums that belongs to the channel of `a`. The layouts are patches [position, tile,
// $pitch], gradients [position, tile, $gradientPitch] and sums [position, channel of x, channel of y].
//
// A task computes the sums over a part of the tiles for a block of the channels. One work-item computes some tasks in
// its own scratch buffer. If each task covers all channels, the task transforms its tiles, a few at a time, and a later
// launch adds the sums of all parts. If each task covers all tiles, an earlier launch transformed the tiles, and the
// task transforms its sums to weight gradients.
//
//   $TRANSFORMS: sets `patches` and `gradients` to the transforms of tiles `firstTile` to `lastTile` - 1;
//       winograd_patches.cl and winograd_gradients.cl if the task computes them
//   $TERMS: matmul/terms.cl, adds the products of `span` tiles to $tileRows channels of x × $vectors registers of sums
//   $RESULTS: winograd_sums.cl if each task covers all tiles, else empty
//   $terms, $columns: the channels of x and of y; $channelsPerBlock × $columnsPerBlock: the channels of a block
//   $blocks: the number of blocks; $channelBlocks: the number of blocks along the channels of x
//   $tiles: the number of tiles; $tilesPerBlock: the number whose transforms are in memory at a time; $parts: the
//       number of parts of the tiles
//   $tasks: the number of tasks, $parts × $blocks; $items: the number of work-items
//   $patchDistance, $gradientDistance, $sumDistance: the distance in memory from one position to the next
//   $scratch: the scratch buffers of $scratchSize elements, which begin with the sums
//
// Parameters: $RESULTS, $T, $TERMS, $TRANSFORMS, $V, $blocks, $channelBlocks, $channelsPerBlock, $columns,
// $columnsPerBlock, $gradientDistance, $index, $items, $parts, $patchDistance, $scratch, $scratchSize, $sumDistance,
// $tasks, $terms, $tileRows, $tiles, $tilesPerBlock, $vectors, $zero.
GLOBAL $T *products = $scratch + GROUP_ID() * $scratchSize;
for ($index task = GROUP_ID(); task < $tasks; task += $items) {
  const $index part = task / $blocks;
  const $index block = task - part * $blocks;
  const $index firstChannel = block % $channelBlocks * $channelsPerBlock;
  const $index lastChannel = SMALLER(firstChannel + $channelsPerBlock, $terms);
  const $index firstColumn = block / $channelBlocks * $columnsPerBlock;
  const $index lastColumn = SMALLER(firstColumn + $columnsPerBlock, $columns);
  const $index begin = $tiles * part / $parts;
  const $index end = $tiles * (part + 1) / $parts;
  for ($index firstTile = begin; firstTile < end; firstTile += $tilesPerBlock) {
    const $index lastTile = SMALLER(firstTile + $tilesPerBlock, end);
    const $index span = lastTile - firstTile;
    $TRANSFORMS
    for ($index position = 0; position < 36; position += 1) {
      for ($index column = firstColumn; column < lastColumn; column += $vectors * WIDTH) {
        for ($index channel = firstChannel; channel < lastChannel; channel += $tileRows) {
          GLOBAL $T *partials = products + position * $sumDistance + (channel - firstChannel) * $columnsPerBlock
              + column - firstColumn;
          GLOBAL const $T *row = gradients + position * $gradientDistance + column;
          GLOBAL const $T *left[$tileRows];
          $V sums[$tileRows][$vectors];
          UNROLL for (int m = 0; m < $tileRows; m += 1) {
            left[m] = patches + position * $patchDistance + channel + m;
          }
          CLEAR_TILE(sums, $tileRows, $vectors, $zero);
          if (firstTile > begin) LOAD_TILE(sums, $tileRows, $vectors, partials, $columnsPerBlock);
          $TERMS
          STORE_TILE(sums, $tileRows, $vectors, partials, $columnsPerBlock);
        }
      }
    }
  }
  $RESULTS
}
