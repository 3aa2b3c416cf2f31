// Transforms 3 × 3 weights to the Winograd domain (see convolution/winograd.cl). A panel has the weights of $panelWidth
// channels of the results (columns); below, a result is one of these channels. A term is a channel of the image. The
// kernel transforms the weights of one panel for the terms firstTerm, … , lastTerm - 1:
//
//   source (the result, the term and the tap each have a stride)  →  weights [36 positions, term, $panelWidth]
//
// A run is a sequence of $termsPerRun terms that is contiguous in the source, with the taps innermost. The kernel
// transposes blocks of WIDTH results × WIDTH elements of a run in registers. Columns past the last result repeat the
// weights of the last result; the matrix products do not store such columns.
//
//   $columns: the number of results; $columnStride, $termStride: the strides of result and term in $source
//   $firstTap, $tapStep: the place of tap 0 in the source, and the step to the next tap; for the gradient of the input,
//       the taps are in reverse order
//   $weightDistance: the distance in `weights` from one position to the next
//
// Parameters: $T, $V, $columnStride, $columns, $firstTap, $index, $panelWidth, $source, $tapStep, $termStride,
// $termsPerRun, $weightDistance.
for ($index column = 0; column < $panelWidth; column += WIDTH) {
  for ($index run = firstTerm; run < lastTerm; run += $termsPerRun) {
    const $index remaining = SMALLER($termsPerRun, lastTerm - run);
    PRIVATE_ARRAY($T, lines, 9 * WIDTH * WIDTH);
    for ($index element = 0; element < 9 * remaining; element += WIDTH) {
      $V tile[WIDTH];
      UNROLL for (int lane = 0; lane < WIDTH; lane += 1) {
        const $index result = SMALLER(panel * $panelWidth + column + lane, $columns - 1);
        tile[lane] = VLOAD($source + result * $columnStride + run * $termStride + element);
      }
      TRANSPOSE(tile, lines + element * WIDTH);
    }
    for ($index term = 0; term < remaining; term += 1) {
      $V taps[9];
      $V positions[36];
      UNROLL for (int i = 0; i < 9; i += 1) taps[i] = VLOAD(lines + (9 * term + $firstTap + i * $tapStep) * WIDTH);
      winograd_weight(taps, positions);
      GLOBAL $T *to = weights + (run - firstTerm + term) * $panelWidth + column;
      UNROLL for (int i = 0; i < 36; i += 1) VSTORE(positions[i], to + i * $weightDistance);
    }
  }
}
