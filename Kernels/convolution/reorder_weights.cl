// Copies weights to [column, tap, channel], where a column is a channel of the result and a channel one of the sum. In
// the source, columns, channels and taps have the strides $columnStride, $channelStride and 1.
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
