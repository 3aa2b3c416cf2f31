// The variant of convolution/plane.cl for small images. For one image and one convolution group, a work-item copies
// the input channels to a private array and computes all results. plane.cl explains $BLOCK, $blocks, $channels,
// $chunkSize, $chunks, $groups, $imageStride, $planeStride, $planes and $positionCount.
//
//   $IMAGE: image_copy.cl, copies the input channel `firstChannel + channel` to `copy`
//   $firstImage: the number of images of earlier launches; $targetH: the rows of a plane in the layout of image.cl
//   $preparedSize: the largest number of elements of the copies of all input channels of a group
//
// Parameters: $BLOCK, $IMAGE, $T, $blocks, $channels, $chunkSize, $chunks, $firstImage, $groups, $imageStride, $index,
// $planeStride, $planes, $positionCount, $preparedSize, $targetH.
const $index group = GROUP_ID() % $groups;
const $index image = GROUP_ID() / $groups;
PRIVATE_ARRAY($T, prepared, $preparedSize + WIDTH);
const $index firstRow = 0;
const $index lastRow = $targetH;
const $index firstChannel = ($firstImage * $groups + GROUP_ID()) * $channels;
for ($index channel = 0; channel < $channels; channel += 1) {
  $T *copy = prepared + channel * $imageStride;
  $IMAGE
}
for ($index block = 0; block < $blocks; block += 1) {
  for ($index plane = 0; plane < $planes; plane += 1) {
    const $T *first = prepared + plane * $planeStride;
    for ($index chunk = 0; chunk < $chunks; chunk += 1) {
      const $index begin = chunk * $chunkSize;
      const $index end = SMALLER(begin + $chunkSize, $positionCount);
      $BLOCK
    }
  }
}
