// Packs weights in the order in which a convolution reads them. The copy converts elements to the arithmetic type and
// pads the last block with zeros:
//
//   source (group, row, channel and tap each have a stride)  →  target [group, block, channel, tap, $tileRows]
//
// Here, a row is a channel of the results, and `channel` numbers the channels of the images that the convolution reads.
// A block consists of $tileRows rows. One work-item copies the taps of one channel of one block.
//
//   $rows, $channels: the channels of a group; $blocks: the blocks of a group; $taps: the number of taps
//   $source, $offset: the array of the source, of type $dtype, and the offset of the first weight
//   $groupStride, $rowStride, $channelStride, $tapStride: the strides in the source
//   $firstTap: the place of tap 0 in the source. For the gradient of the input, it is the last, and $tapStride is -1.
//
// Parameters: $T, $blocks, $channelStride, $channels, $dtype, $firstTap, $groupStride, $index, $lane, $offset,
// $rowStride, $rows, $source, $tapStride, $taps, $target, $tileRows.
$index rest = GROUP_ID();
const $index channel = rest % $channels;
rest = rest / $channels;
const $index block = rest % $blocks;
const $index group = rest / $blocks;
GLOBAL $T *to = $target + GROUP_ID() * $taps * $tileRows;
for ($index tap = 0; tap < $taps; tap += 1) {
  NO_UNROLL for (int i = 0; i < $tileRows; i += 1) {
    const $index row = block * $tileRows + i;
    const $index from = $offset + group * $groupStride + row * $rowStride + channel * $channelStride + $firstTap + tap * $tapStride;
    to[tap * $tileRows + i] = row < $rows ? FIRST_$lane(SPLAT_$dtype($source, from)) : ($T)0;
  }
}
