// Copies images so that a convolution over them needs no bounds and no strides: converted to the lane of
// the arithmetic, with zeros around and between the elements, and taken apart by the remainders of the
// coordinates (the phases) when divided by the stride; phases that no tap reads are left out:
//
//   source [image, d, h, w]  →  target [image, phase, d', h', w'], `$imageStride` elements an image
//
// One work-item copies a band of rows of some images.
const $index band = GROUP_ID() % $bands;
const $index chunk = GROUP_ID() / $bands;
const $index stop = SMALLER((chunk + 1) * $imagesPerItem, $imageCount);
const $index firstRow = band * $rowsPerBand;
const $index lastRow = SMALLER(firstRow + $rowsPerBand, $targetH);
for ($index image = chunk * $imagesPerItem; image < stop; image += 1) {
  GLOBAL $T *copy = $target + image * $imageStride;
  $IMAGE
}
