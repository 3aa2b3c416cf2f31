// Copies the weights of a convolution to [column, tap, channel]. The convolution sums over the taps and over the
// channels; each column gives one channel of the result. In the source, columns, channels and taps have the strides
// $columnStride, $channelStride and 1.
//
//   $source, $offset: the array of the source, and the offset of the first weight
//   $taps, $channels: the extents of these axes; $count: the number of weights; $items: the work-items of a group
//
// Parameters: $channelStride, $channels, $columnStride, $count, $index, $items, $offset, $source, $taps, $target.
const $index element = ($index)GROUP_ID() * $items + LOCAL_ID();
if (element < $count) {
  const $index run = element / $channels;
  const $index channel = element - run * $channels;
  const $index column = run / $taps;
  const $index tap = run - column * $taps;
  $target[element] = $source[$offset + column * $columnStride + channel * $channelStride + tap];
}
