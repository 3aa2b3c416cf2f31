// A convolution over images in the layout of convolution/image.cl. In this layout, the element that a tap reads for the
// output at position q of a plane (one depth of an image) is at q plus an offset that depends only on the tap. A
// work-item accumulates $tileRows output channels × $vectors registers of neighboring positions at a time:
//
//   sums[row][q] += weights[channel][tap][row] · image[channel][q + offset of tap]
//
// Here, a row is an output channel, and `channel` an input channel. q iterates over whole rows of the layout. They may
// be longer than rows of outputs; then the kernel does not store the positions that belong to no output.
//
// One work-item computes a block of $tileRows output channels for a chunk of positions of one plane.
//
//   $BLOCK: plane_block.cl, computes the block `block` at positions `begin` to `end` - 1 of the plane at `first`
//   $groups: the groups of the convolution; $blocks: the blocks of a group; $channels: the input channels of a group
//   $planes: the planes of outputs of an image; $positionCount: the positions of a plane
//   $chunks, $chunkSize: the number of chunks of a plane, and the positions of a chunk
//   $images: the images; $space: their address space
//   $imageStride, $planeStride: the distance in $images from one channel to the next, and from one plane to the next
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
