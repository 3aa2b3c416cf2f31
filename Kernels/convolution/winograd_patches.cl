// Transforms patches to the Winograd domain (see convolution/winograd.cl). A patch is the 6 × 6 pixels that a tile of
// 4 × 4 results reads; the tiles are firstTile, … , lastTile - 1.
//
//   image [pixel, channel]  →  patches [36 positions, tile, $pitch]
//
// Tiles with an index of $tiles or more repeat tile $tiles - 1. Pixels outside of the image are zeros. Channels past
// the last channel have arbitrary values, which are not read.
//
//   $image: the source; $imageHeight × $imageWidth, $terms: the pixels of an image, and the channels of a pixel
//   $leadDown, $leadAcross: how far a patch begins above and to the left of the first result of its tile, in pixels
//   $patchDistance: the distance in `patches` from one position to the next
//   $TILE: winograd_tile.cl, computes `image`, `down` and `across` of `tile`
//
// Parameters: $T, $TILE, $V, $image, $imageHeight, $imageWidth, $index, $leadAcross, $leadDown, $patchDistance, $pitch,
// $terms, $tiles, $zero.
for ($index number = firstTile; number < lastTile; number += 1) {
  const $index tile = SMALLER(number, $tiles - 1);
  $TILE
  const int top = (int)(down - $leadDown);
  const int side = (int)(across - $leadAcross);
  for ($index channel = 0; channel < $terms; channel += WIDTH) {
    GLOBAL const $T *from = $image + image * $imageHeight * $imageWidth * $terms + channel;
    $V patch[36];
    UNROLL for (int i = 0; i < 36; i += 1) {
      const int y = top + i / 6;
      const int x = side + i % 6;
      const int isInside = ((u32)y < (u32)$imageHeight) & ((u32)x < (u32)$imageWidth);
      patch[i] = $zero;
      if (isInside) patch[i] = VLOAD(from + (y * $imageWidth + x) * $terms);
    }
    winograd_patch(patch, patch);
    GLOBAL $T *to = patches + (number - firstTile) * $pitch + channel;
    UNROLL for (int i = 0; i < 36; i += 1) VSTORE(patch[i], to + i * $patchDistance);
  }
}
