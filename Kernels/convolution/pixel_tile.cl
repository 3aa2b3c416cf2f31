// For each row m of a tile, computes the pixel to which pixel_tap.cl adds the offset of a tap: the row `down[m]`, the
// column `across[m]` and the offset in memory `origin[m]` of this pixel. The $tileRows rows of the tile are neighboring
// results from result `first` on. The pixel may be outside of the image. Rows of the tile past the last result repeat
// the pixel of the last result.
//
//   $gridHeight × $gridWidth: the results of an image; $rows: the results of all images
//   $imageHeight × $imageWidth, $terms: the pixels of an image that the taps read, and the channels of a pixel
//   $stepDown, $stepAcross: the distance between the pixels of neighboring results
//
// Parameters: $gridHeight, $gridWidth, $imageHeight, $imageWidth, $index, $rows, $stepAcross, $stepDown, $terms,
// $tileRows.
int down[$tileRows];
int across[$tileRows];
$index origin[$tileRows];
{
  const $index line = first / $gridWidth;
  int column = (int)(first - line * $gridWidth);
  $index image = line / $gridHeight;
  int row = (int)(line - image * $gridHeight);
  UNROLL for (int m = 0; m < $tileRows; m += 1) {
    down[m] = row * (int)$stepDown;
    across[m] = column * (int)$stepAcross;
    origin[m] = ((image * $imageHeight + down[m]) * $imageWidth + across[m]) * $terms;
    const int isLast = first + m + 1 >= $rows;
    column += 1 - isLast;
    const int isRowDone = column == (int)$gridWidth;
    column = isRowDone ? 0 : column;
    row += isRowDone;
    const int isImageDone = row == (int)$gridHeight;
    row = isImageDone ? 0 : row;
    image += isImageDone;
  }
}
