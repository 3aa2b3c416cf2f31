// The variant of convolution/vector.cl for small images. For one image and one convolution group, a work-item copies
// the input channels to a private array and computes all results.
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
