// A convolution over images in the layout of convolution/image.cl. In this layout, the element that a tap reads for the
// output at position q of a plane (one depth of an image) is at q plus an offset that depends only on the tap. A
// work-item accumulates $tileRows output channels × $vectors registers of neighboring positions at a time:
//
//                   q q+1 …          q iterates over whole rows of the layout, which may be longer than rows
//   row (channel) [ sums   ]         of outputs. Positions that belong to no output are not stored.
//
//   sums[row][q] += weights[channel][tap][row] · image[channel][q + offset of tap]      channel: of the input
//
// One work-item computes a block of output channels for some positions of one plane.
//
// Parameters: $BLOCK, $T, $blocks, $channels, $chunkSize, $chunks, $groups, $imageStride, $images, $index,
// $planeStride, $planes, $positionCount, $space.
$index rest = GROUP_ID();
const $index chunk = rest % $chunks;
rest = rest / $chunks;
const $index plane = rest % $planes;
rest = rest / $planes;
const $index block = rest % $blocks;
rest = rest / $blocks;
const $index group = rest % $groups;
const $index image = rest / $groups;
$space const $T *first = $images + (image * $groups + group) * $channels * $imageStride + plane * $planeStride;
const $index begin = chunk * $chunkSize;
const $index end = SMALLER(begin + $chunkSize, $positionCount);
$BLOCK
