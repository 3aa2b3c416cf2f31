// Adds the partial sums at the 36 positions of the Winograd domain (see convolution/winograd.cl) and transforms the
// totals to gradients of 3 × 3 weights. These weights connect channels firstChannel, … , lastChannel - 1 of x, the
// input, with channels firstColumn, … , lastColumn - 1 of y, the output:
//
//   products [part, position, channel of x, channel of y]  →  result [channel of y, (channel of x, tap)]
//
// The kernel transposes blocks of WIDTH channels of y × WIDTH elements of a result row in registers.
//
//   $sumParts: the number of parts; $scratchSize, $sumDistance, $columnsPerBlock: the strides of part, position and
//       channel of x in `products`; $originChannel, $originColumn: the channels of x and y with which `products` begins
//   $ROW, $EPILOGUE: see matmul/vector.cl; `output` is the channel of y
//
// Parameters: $EPILOGUE, $ROW, $T, $V, $columnsPerBlock, $index, $originChannel, $originColumn, $scratchSize,
// $sumDistance, $sumParts.
for ($index channel = firstChannel; channel < lastChannel; channel += WIDTH) {
  for ($index first = firstColumn; first < lastColumn; first += WIDTH) {
    PRIVATE_ARRAY($T, lines, 9 * WIDTH * WIDTH);
    for (int i = 0; i < WIDTH; i += 1) {
      GLOBAL const $T *from =
          products + (channel + i - $originChannel) * $columnsPerBlock + first - $originColumn;
      $V positions[36];
      $V taps[9];
      UNROLL for (int s = 0; s < 36; s += 1) positions[s] = VLOAD(from + s * $sumDistance);
      for ($index other = 1; other < $sumParts; other += 1) {
        UNROLL for (int s = 0; s < 36; s += 1) {
          positions[s] = positions[s] + VLOAD(from + other * $scratchSize + s * $sumDistance);
        }
      }
      winograd_weight_gradient(positions, taps);
      UNROLL for (int s = 0; s < 9; s += 1) VSTORE(taps[s], lines + (9 * i + s) * WIDTH);
    }
    for (int element = 0; element < 9 * WIDTH; element += WIDTH) {
      $V tile[WIDTH];
      UNROLL for (int lane = 0; lane < WIDTH; lane += 1) tile[lane] = VLOAD(lines + (element + lane) * WIDTH);
      PRIVATE_ARRAY($T, transposed, WIDTH * WIDTH);
      TRANSPOSE(tile, transposed);
      for (int lane = 0; lane < WIDTH; lane += 1) {
        const $index output = first + lane;
        const $index column = 9 * channel + element;
        const int count = WIDTH;
        const $V core = VLOAD(transposed + lane * WIDTH);
        $ROW
        $EPILOGUE
      }
    }
  }
}
