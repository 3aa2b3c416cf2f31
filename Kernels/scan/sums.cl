// Cumulative sums along the middle axis of [outer, extent, inner], as cascades of chains (see reduce.def). A result is
// the sum within the element's chain of 16 plus the sum before that chain, which adds the full chains of each level,
// highest first. So results do not depend on where the axis is split, if it is split at multiples of 16, 256, …;
// products.cl describes the chunks.
//
// A work-item computes one chunk of one (outer, inner).
//
// Parameters: $FINISH, $READ, $T, $WRITE, $chain, $chunkSize, $chunks, $extent, $inner, $isReversed, $items, $levels,
// $localSize, $mostLevels, $start.
const i64 item = (i64)GROUP_ID() * $localSize + LOCAL_ID();
if (item >= $items) return;
const i64 chunk = item % $chunks;
const i64 line = item / $chunks;
const i64 outer = line / $inner;
const i64 base = outer * $extent * $inner + (line - outer * $inner);
const i64 begin = chunk * $chunkSize;
const i64 end = SMALLER(begin + $chunkSize, $extent);
const $T start = $start;
$T levels[$mostLevels];
for (int k = 0; k < $mostLevels; k += 1) levels[k] = 0;
$T upper = start;
for (i64 first = begin; first < end; first += $chain) {
  const i64 stop = SMALLER(first + $chain, end);
  const $T before = upper + levels[0];
  $T sum = 0;
  for (i64 step = first; step < stop; step += 1) {
    const i64 at = base + ($isReversed ? $extent - 1 - step : step) * $inner;
    sum = sum + $READ;
    const $T value = before + sum;
    $WRITE
  }
  levels[0] = levels[0] + sum;
  i64 chains = (first - begin) / $chain + 1;
  if (chains % $chain == 0) {
    for (int k = 0; k + 1 < $levels && chains % $chain == 0; k += 1, chains /= $chain) {
      levels[k + 1] = levels[k + 1] + levels[k];
      levels[k] = 0;
    }
    upper = start;
    for (int k = (int)$levels - 1; k > 0; k -= 1) upper = upper + levels[k];
  }
}
$T total = 0;
for (int k = (int)$levels - 1; k >= 0; k -= 1) total = total + levels[k];
$FINISH
