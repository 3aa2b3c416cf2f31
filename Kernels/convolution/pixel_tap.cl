// For the tap with the index `segment`, sets `left[m]` to the address of the pixel that the tap reads for row m of the
// tile, and `span` to the number of channels. If the pixel is outside of the image, `left[m]` is the address of zeros.
// pixel_tile.cl computes `down`, `across` and `origin`.
//
//   $A, $leftOffset: the array with the images, of C type $leftT, and the offset of the first image
//   $imageHeight × $imageWidth: the pixels of an image; $terms: the channels of a pixel; $tileRows: the rows of the
//       tile
//   $tapTable: the index in `geometry` of a table with the offset of the pixel of each tap, down and across
//   $zeros: the index in `geometry` of zeros, as many as a pixel has channels and a register has lanes
//
// Parameters: $A, $imageHeight, $imageWidth, $index, $leftOffset, $leftT, $tapTable, $terms, $tileRows, $zeros.
const int tapDown = (int)geometry[$tapTable + 2 * segment];
const int tapAcross = (int)geometry[$tapTable + 2 * segment + 1];
GLOBAL const $leftT *moved = $A + $leftOffset + (tapDown * $imageWidth + tapAcross) * $terms;
UNROLL for (int m = 0; m < $tileRows; m += 1) {
  const int isInside = ((u32)(down[m] + tapDown) < (u32)$imageHeight) & ((u32)(across[m] + tapAcross) < (u32)$imageWidth);
  left[m] = isInside ? moved + origin[m] : (GLOBAL const $leftT *)(geometry + $zeros);
}
const $index span = $terms;
