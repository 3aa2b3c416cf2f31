// A Winograd convolution with 3 × 3 taps and tiles of 4 × 4 results. The transform of a patch (the 6 × 6 pixels that a
// tile reads) or of a filter has 36 elements, one for each position of the Winograd domain. At each position, a matrix
// product over channels (the terms) multiplies patches by weights. Then the kernel transforms the sums to results.
//
//                 ┌ panel of weights ┐
//   term ───────  │    b0      b1    │     columns: channels of the results
//   tile │ a      │       sums       │     rows: tiles
//
// At each position, the kernel multiplies an element `a` of the patches by the vectors `b0` and `b1` of the weights,
// and adds the products to the sums of the tile. The layouts are patches [position, tile, $pitch], weights [position,
// term, $panelWidth] and sums [position, tile, $panelWidth].
//
// A panel has the weights of $panelWidth channels of the results (columns). A task computes the results of some tiles
// for some panels. One work-item computes some tasks in its own scratch buffer, which stays in a cache. The buffer
// contains the sums and the transforms of either patches or weights. An earlier launch computed the other transforms.
//
//   $PATCHES: sets `patches` to the transforms of the task's patches; winograd_patches.cl if the task computes them
//   $WEIGHTS: sets `weights` to the transforms of a panel's weights for `span` terms from `firstTerm` on;
//       winograd_weights.cl if the task computes them
//   $TERMS: matmul/terms.cl, adds the products of `span` terms to $tileRows rows × $vectors registers of sums
//   $TILE: winograd_tile.cl, computes `image`, `down` and `across` of `tile`
//   $terms, $columns: the channels of the image and of the results; $gridHeight × $gridWidth: the results of an image
//   $tiles, $panels: the number of tiles and panels; $tilesPerTask, $panelsPerTask: those of a task
//   $tasks: the number of tasks; $parts: the number of tasks with the same tiles; $items: the number of work-items
//   $termsPerBlock: the terms whose weights are in the scratch buffer at a time, or all terms
//   $patchDistance, $weightDistance: the distance in memory from one position to the next
//   $scratch: the scratch buffers of $scratchSize elements; $sumsOffset: the offset of the sums in a buffer
//   $ROW, $EPILOGUE: see matmul/vector.cl; `output` is the index of the pixel
//
// Parameters: $EPILOGUE, $PATCHES, $ROW, $T, $TERMS, $TILE, $V, $WEIGHTS, $columns, $gridHeight, $gridWidth, $index,
// $items, $panelWidth, $panels, $panelsPerTask, $parts, $patchDistance, $pitch, $scratch, $scratchSize, $sumsOffset,
// $tasks, $terms, $termsPerBlock, $tileRows, $tiles, $tilesPerTask, $vectors, $weightDistance, $zero.
GLOBAL $T *scratch = $scratch + GROUP_ID() * $scratchSize;
GLOBAL $T *products = scratch + $sumsOffset;
for ($index task = GROUP_ID(); task < $tasks; task += $items) {
  const $index chunk = task / $parts;
  const $index part = task - chunk * $parts;
  const $index firstTile = chunk * $tilesPerTask;
  const $index tileCount = SMALLER($tilesPerTask, $tiles - firstTile);
  const $index lastPanel = SMALLER((part + 1) * $panelsPerTask, $panels);
  $PATCHES
  for ($index panel = part * $panelsPerTask; panel < lastPanel; panel += 1) {
    for ($index firstTerm = 0; firstTerm < $terms; firstTerm += $termsPerBlock) {
      const $index span = SMALLER($termsPerBlock, $terms - firstTerm);
      $WEIGHTS
      for ($index position = 0; position < 36; position += 1) {
        for ($index first = 0; first < tileCount; first += $tileRows) {
          GLOBAL $T *partials = products + (position * $tilesPerTask + first) * $panelWidth;
          GLOBAL const $T *row = weights + position * $weightDistance;
          GLOBAL const $T *left[$tileRows];
          $V sums[$tileRows][$vectors];
          UNROLL for (int m = 0; m < $tileRows; m += 1) {
            left[m] = patches + position * $patchDistance + (first + m) * $pitch + firstTerm;
          }
          CLEAR_TILE(sums, $tileRows, $vectors, $zero);
          if (firstTerm > 0) LOAD_TILE(sums, $tileRows, $vectors, partials, $vectors * WIDTH);
          $TERMS
          STORE_TILE(sums, $tileRows, $vectors, partials, $vectors * WIDTH);
        }
      }
    }
    for ($index tile = firstTile; tile < firstTile + tileCount; tile += 1) {
      $TILE
      for (int v = 0; v < $vectors; v += 1) {
        const $index column = (panel * $vectors + v) * WIDTH;
        const int count = (int)SMALLER($columns - column, ($index)WIDTH);
        if (count <= 0) break;
        GLOBAL const $T *from = products + ((tile - firstTile) * $vectors + v) * WIDTH;
        $V positions[36];
        $V results[16];
        UNROLL for (int i = 0; i < 36; i += 1) positions[i] = VLOAD(from + i * $tilesPerTask * $panelWidth);
        winograd_result(positions, results);
        PRIVATE_ARRAY($T, stage, 16 * WIDTH);
        UNROLL for (int i = 0; i < 16; i += 1) VSTORE(results[i], stage + i * WIDTH);
        for (int i = 0; i < 16; i += 1) {
          const $index y = down + i / 4;
          const $index x = across + i % 4;
          if (y >= $gridHeight || x >= $gridWidth) continue;
          const $index output = (image * $gridHeight + y) * $gridWidth + x;
          $ROW
          const $V core = VLOAD(stage + i * WIDTH);
          $EPILOGUE
        }
      }
    }
  }
}
