// Packs weights into panels of $width columns (channels of the result), in the order in which the product reads them.
// The copy converts elements to the arithmetic type and pads the last panel with zeros:
//
//   source (the column and the run each have a stride)  →  target [panel, slot, channel, $width]
//
// The slot of a tap is its place in the order in which the product reads the taps. A run is a sequence of channels that
// is contiguous in the source, with the taps innermost. The kernel transposes blocks of WIDTH columns × WIDTH elements
// of a run in registers. One work-item copies some runs of one panel.
//
//   $columns, $channels, $taps: the number of columns, channels and taps; $panels: the number of panels
//   $runs: the runs of a column, each with $channelsPerRun channels; $runsPerItem: the runs of a work-item
//   $source, $offset: the array of the source, of type $dtype, and the offset of the first weight
//   $columnStride, $runStride: the strides in the source
//   $slots: the index in `geometry` of a table with the slot of each tap
//
// Parameters: $T, $V, $channels, $channelsPerRun, $columnStride, $columns, $dtype, $index, $lane, $offset, $panels,
// $runStride, $runs, $runsPerItem, $slots, $source, $taps, $target, $width, $zero.
const $index panel = GROUP_ID() % $panels;
const $index chunk = GROUP_ID() / $panels;
const $index end = SMALLER((chunk + 1) * $runsPerItem, $runs);
for ($index run = chunk * $runsPerItem; run < end; run += 1) {
  const $index elements = SMALLER($channelsPerRun, $channels - run * $channelsPerRun) * $taps;
  for ($index column = 0; column < $width; column += WIDTH) {
    const $index first = panel * $width + column;
    const int remaining = (int)SMALLER($columns - first, ($index)WIDTH);
    $index channel = run * $channelsPerRun;
    $index tap = 0;
    for ($index element = 0; element < elements; element += WIDTH) {
      const int count = (int)SMALLER(elements - element, ($index)WIDTH);
      $V tile[WIDTH];
      UNROLL for (int lane = 0; lane < WIDTH; lane += 1) {
        tile[lane] = LOAD_$dtype(
            $source, $offset + run * $runStride + SMALLER(first + lane, $columns - 1) * $columnStride + element, count);
      }
      PRIVATE_ARRAY($T, transposed, WIDTH * WIDTH);
      TRANSPOSE(tile, transposed);
      for (int i = 0; i < count; i += 1) {
        $V v = VLOAD(transposed + i * WIDTH);
        if (remaining < WIDTH) v = CHOOSE_$lane(LANE_MASK(remaining), v, $zero);
        const $index row = (panel * $taps + geometry[$slots + tap]) * $channels + channel;
        VSTORE(v, $target + row * $width + column);
        tap += 1;
        if (tap == $taps) {
          tap = 0;
          channel += 1;
        }
      }
    }
  }
}
