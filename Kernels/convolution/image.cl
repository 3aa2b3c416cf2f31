// Copies images so that a convolution over them needs no bounds checks and no strides. Elements are converted to the
// lane of the arithmetic, with zeros around and between them, and grouped into phases by the remainders of their
// coordinates modulo the stride. Phases that no tap reads are left out:
//
//   source [image, d, h, w]  →  target [image, phase, d', h', w'], `$imageStride` elements per image
//
// One work-item copies a band of rows of some images.
//
// Parameters: $IMAGE, $T, $bands, $imageCount, $imageStride, $imagesPerItem, $index, $rowsPerBand, $target, $targetH.
const $index band = GROUP_ID() % $bands;
const $index chunk = GROUP_ID() / $bands;
const $index stop = SMALLER((chunk + 1) * $imagesPerItem, $imageCount);
const $index firstRow = band * $rowsPerBand;
const $index lastRow = SMALLER(firstRow + $rowsPerBand, $targetH);
for ($index image = chunk * $imagesPerItem; image < stop; image += 1) {
  GLOBAL $T *copy = $target + image * $imageStride;
  $IMAGE
}
