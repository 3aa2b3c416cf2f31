// Adds the parts (partial sums) of a gradient of weights and writes the totals in the layout of the weights:
//
//   source [part, tap, channel, output channel]  →  result [output channel, (channel, tap)]
//
// A row of the result is an output channel, and a column a pair (channel, tap). In the source, $width is the extent of
// the last axis. The kernel transposes blocks of WIDTH × WIDTH elements in registers. One work-item computes some
// columns of WIDTH rows of the result.
//
//   $parts, $taps, $channels: the extents of the other axes of $source
//   $rows × $elements: the size of the result; $elementsPerItem: the columns of a work-item; $chunks: the work-items
//       along a row
//   $ROW, $EPILOGUE: see matmul/vector.cl; `output` is the row of the result
//
// Parameters: $EPILOGUE, $ROW, $T, $V, $channels, $chunks, $elements, $elementsPerItem, $index, $parts, $rows,
// $source, $taps, $width.
const $index chunk = GROUP_ID() % $chunks;
const $index first = GROUP_ID() / $chunks * WIDTH;
const $index end = SMALLER((chunk + 1) * $elementsPerItem, $elements);
const int height = (int)SMALLER($rows - first, ($index)WIDTH);
for ($index column = chunk * $elementsPerItem; column < end; column += WIDTH) {
  const int count = (int)SMALLER(end - column, ($index)WIDTH);
  $V tile[WIDTH];
  $index channel = column / $taps;
  $index tap = column - channel * $taps;
  UNROLL for (int i = 0; i < WIDTH; i += 1) {
    GLOBAL const $T *from = $source + (tap * $channels + channel) * $width + first;
    $V sum = VLOAD(from);
    for ($index part = 1; part < $parts; part += 1) sum = sum + VLOAD(from + part * $elements * $width);
    tile[i] = sum;
    if (i + 1 < count) {
      tap += 1;
      channel += tap == $taps;
      tap = tap == $taps ? 0 : tap;
    }
  }
  PRIVATE_ARRAY($T, transposed, WIDTH * WIDTH);
  TRANSPOSE(tile, transposed);
  for (int i = 0; i < height; i += 1) {
    const $index output = first + i;
    const $V core = VLOAD(transposed + i * WIDTH);
    $ROW
    $EPILOGUE
  }
}
