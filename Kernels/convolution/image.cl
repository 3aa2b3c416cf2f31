// Copies images to a layout in which a convolution needs no bounds checks and no strides. The copy converts elements to
// the arithmetic type and inserts zeros around and between them. It groups elements into phases by the remainders of
// their coordinates modulo the stride. If the stride is larger than the window, it omits the phases that no tap (kernel
// position) reads:
//
//   source [image, d, h, w]  →  target [image, phase, d', h', w'], $imageStride elements per image
//
// Here an image is one channel of one example. One work-item copies a band of rows of some images.
//
//   $IMAGE: image_copy.cl, copies the rows of one image to `copy`; $imageCount: the number of images
//   $bands: the bands of an image; $rowsPerBand, $imagesPerItem: the rows h' and the images that a work-item copies
//   $targetH: the extent of axis h'
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
