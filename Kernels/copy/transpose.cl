// Copies an array whose contiguous axis is not the contiguous axis of the result:
//
//   source  i →  contiguous        result  i ↓  by $resultStride
//           j ↓  by $sourceStride          j →  contiguous
//
// The kernel transposes blocks of WIDTH × WIDTH elements in registers. One work-item copies a range of i and a range of
// j. The range of j is long enough to write whole cache lines.
//
//   $rows, $columns: the extents of i and j
//   $perChunk, $perBand: the lengths of the ranges of i and j; $chunks, $bands: the numbers of these ranges
//   $source, $result: the arrays, with elements of type $dtype
//   $BATCH: computes $from and $to, the offsets in the source and the result, from `row`, the index in the other axes
//
// Parameters: $BATCH, $T, $V, $bands, $chunks, $columns, $dtype, $from, $index, $perBand, $perChunk, $result,
// $resultStride, $rows, $source, $sourceStride, $to.
$index rest = GROUP_ID();
const $index chunk = rest % $chunks;
rest = rest / $chunks;
const $index band = rest % $bands;
const $index row = rest / $bands;
$BATCH
const $index stop = SMALLER((chunk + 1) * $perChunk, $rows);
const $index last = SMALLER((band + 1) * $perBand, $columns);
for ($index i = chunk * $perChunk; i < stop; i += WIDTH) {
  const int height = (int)SMALLER(stop - i, ($index)WIDTH);
  for ($index j = band * $perBand; j < last; j += WIDTH) {
    const int count = (int)SMALLER(last - j, ($index)WIDTH);
    $V tile[WIDTH];
    UNROLL for (int lane = 0; lane < WIDTH; lane += 1) {
      tile[lane] = LOAD_$dtype($source, $from + SMALLER(j + lane, last - 1) * $sourceStride + i, height);
    }
    PRIVATE_ARRAY($T, transposed, WIDTH * WIDTH);
    TRANSPOSE(tile, transposed);
    for (int lane = 0; lane < height; lane += 1) {
      STORE_$dtype($result, $to + (i + lane) * $resultStride + j, count, VLOAD(transposed + lane * WIDTH));
    }
  }
}
