// Packs weights into panels of $width neighbouring results, in the order in which a product reads them, converted to
// the lane of the arithmetic and padded with zeros:
//
//   source, element (column, place, channel, tap) by strides  →  target [panel, slot of tap, channel, $width]
//
// A place is a run of channels that is contiguous in the source, with the taps innermost. Squares of WIDTH columns and
// WIDTH elements of a place are transposed in registers. One work-item copies some places of one panel.
//
// Parameters: $T, $V, $channels, $channelsPerPlace, $columnStride, $columns, $dtype, $index, $lane, $offset, $panels,
// $placeStride, $places, $placesPerItem, $slots, $source, $taps, $target, $width, $zero.
const $index panel = GROUP_ID() % $panels;
const $index chunk = GROUP_ID() / $panels;
const $index end = SMALLER((chunk + 1) * $placesPerItem, $places);
for ($index place = chunk * $placesPerItem; place < end; place += 1) {
  const $index elements = SMALLER($channelsPerPlace, $channels - place * $channelsPerPlace) * $taps;
  for ($index column = 0; column < $width; column += WIDTH) {
    const $index first = panel * $width + column;
    const int held = (int)SMALLER($columns - first, ($index)WIDTH);
    $index channel = place * $channelsPerPlace;
    $index tap = 0;
    for ($index element = 0; element < elements; element += WIDTH) {
      const int count = (int)SMALLER(elements - element, ($index)WIDTH);
      $V square[WIDTH];
      UNROLL for (int lane = 0; lane < WIDTH; lane += 1) {
        square[lane] = LOAD_$dtype(
            $source, $offset + place * $placeStride + SMALLER(first + lane, $columns - 1) * $columnStride + element, count);
      }
      PRIVATE_ARRAY($T, transposed, WIDTH * WIDTH);
      TRANSPOSE(square, transposed);
      for (int i = 0; i < count; i += 1) {
        $V v = VLOAD(transposed + i * WIDTH);
        if (held < WIDTH) v = CHOOSE_$lane(HELD(held), v, $zero);
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
