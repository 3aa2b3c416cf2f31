// A product of a few rows of A and a column-major B. Every result is the dot product of two contiguous vectors. The
// WIDTH elements of a register are neighboring terms of the dot product:
//
//   sums[j] += A[m][k, k + 1, …] · B[column j][k, k + 1, …]
//
// At the end, the kernel transposes the sums of WIDTH columns and adds the WIDTH registers, which gives one register of
// results. It adds by ACCUMULATE with a factor of 1, so that integers wrap around. One work-item computes some
// registers of results in all rows.
//
//   $rows × $columns, $depth: the size of a product, and the number of terms of a result
//   $A, $B: arrays of type $dtype; $rowStride, $columnStride: the strides of the rows of A and of the columns of B
//   $BATCH: computes $leftOffset and $rightOffset, the offsets of A and B in product `batch`
//   $vectors: the registers of a row of results; $vectorsPerItem: the registers of a row that one work-item computes;
//       $chunks: the work-items of a row
//   $ROW, $EPILOGUE: see vector.cl; `output` counts the rows of all products
//
// Parameters: $A, $B, $BATCH, $EPILOGUE, $ROW, $V, $chunks, $columnStride, $columns, $depth, $dtype, $index, $lane,
// $leftOffset, $rightOffset, $rowStride, $rows, $vectors, $vectorsPerItem, $zero.
$index rest = GROUP_ID();
const $index chunk = rest % $chunks;
const $index batch = rest / $chunks;
$BATCH
const $index end = SMALLER((chunk + 1) * $vectorsPerItem, $vectors);
for ($index vector = chunk * $vectorsPerItem; vector < end; vector += 1) {
  const $index column = vector * WIDTH;
  const int count = (int)SMALLER($columns - column, ($index)WIDTH);
  $index right[WIDTH];
  UNROLL for (int j = 0; j < WIDTH; j += 1) {
    right[j] = $rightOffset + SMALLER(column + j, $columns - 1) * $columnStride;
  }
  for ($index m = 0; m < $rows; m += 1) {
    $V sums[WIDTH];
    UNROLL for (int j = 0; j < WIDTH; j += 1) sums[j] = $zero;
    $index k = 0;
    for (; k + WIDTH <= $depth; k += WIDTH) {
      const $V a = LOAD_$dtype($A, $leftOffset + m * $rowStride + k, WIDTH);
      UNROLL for (int j = 0; j < WIDTH; j += 1) {
        sums[j] = ACCUMULATE_$lane(a, LOAD_$dtype($B, right[j] + k, WIDTH), sums[j]);
      }
    }
    if (k < $depth) {
      const int left = (int)($depth - k);
      const $V a = CHOOSE_$lane(LANE_MASK(left), LOAD_$dtype($A, $leftOffset + m * $rowStride + k, left), $zero);
      UNROLL for (int j = 0; j < WIDTH; j += 1) {
        const $V b = CHOOSE_$lane(LANE_MASK(left), LOAD_$dtype($B, right[j] + k, left), $zero);
        sums[j] = ACCUMULATE_$lane(a, b, sums[j]);
      }
    }
    TRANSPOSE(sums);
    UNROLL for (int j = 0; j < WIDTH / 2; j += 1) sums[j] = ACCUMULATE_$lane(($V)(1), sums[j + WIDTH / 2], sums[j]);
    UNROLL for (int j = 0; j < WIDTH / 4; j += 1) sums[j] = ACCUMULATE_$lane(($V)(1), sums[j + WIDTH / 4], sums[j]);
    UNROLL for (int j = 0; j < WIDTH / 8; j += 1) sums[j] = ACCUMULATE_$lane(($V)(1), sums[j + WIDTH / 8], sums[j]);
    const $V core = ACCUMULATE_$lane(($V)(1), sums[1], sums[0]);
    const $index output = batch * $rows + m;
    $ROW
    $EPILOGUE
  }
}
