// Transforms the gradients of the 4 × 4 results of the tiles firstTile, … , lastTile - 1 to the Winograd domain (see
// convolution/winograd.cl):
//
//   gradient [pixel, channel]  →  gradients [36 positions, tile, $gradientPitch]
//
// Gradients of results past the end of an image are zeros.
//
//   $gradient: the source, with $columns channels; $gridHeight × $gridWidth: the pixels of an image
//   $gradientDistance: the distance in `gradients` from one position to the next
//   $TILE: winograd_tile.cl, computes `image`, `down` and `across` of `tile`
//
// Parameters: $T, $TILE, $V, $columns, $gradient, $gradientDistance, $gradientPitch, $gridHeight, $gridWidth, $index,
// $zero.
for ($index tile = firstTile; tile < lastTile; tile += 1) {
  $TILE
  for ($index channel = 0; channel < $columns; channel += WIDTH) {
    GLOBAL const $T *from = $gradient + image * $gridHeight * $gridWidth * $columns + channel;
    $V results[16];
    $V positions[36];
    UNROLL for (int i = 0; i < 16; i += 1) {
      const $index y = down + i / 4;
      const $index x = across + i % 4;
      results[i] = $zero;
      if (y < $gridHeight && x < $gridWidth) results[i] = VLOAD(from + (y * $gridWidth + x) * $columns);
    }
    winograd_gradient(results, positions);
    GLOBAL $T *to = gradients + (tile - firstTile) * $gradientPitch + channel;
    UNROLL for (int i = 0; i < 36; i += 1) VSTORE(positions[i], to + i * $gradientDistance);
  }
}
