// Cumulative sums along the middle axis of [outer, extent, inner], as cascades of chains (see reduce.def). A chain has
// 16 elements ($chain). A result is the sum of the elements of its chain up to its position, plus the sum of all
// elements before the chain. This second sum adds the levels of the cascade, the highest level first. Results do not
// depend on whether the axis is split into chunks (see products.cl), because the size of such chunks is a power of 16.
//
// A work-item computes one chunk for one outer index and $width adjacent columns of the inner axis. A $T contains an
// element of each of these columns. A chain depends on the chains before it only through `before`, the sum of all
// elements before the chain. The loop over a full chain is unrolled, so that the additions of several chains overlap.
//
//   $ADD: the sum of a and b; $CARRY: carry.cl
//   $levels: the number of levels of a cascade over one chunk; $mostLevels: the maximum number of levels
//   $start: the first term: the carry of the chunk, or 0
//   $CHUNK, $FINISH, $READ, $WRITE, $stride: see products.cl
//
// Parameters: $ADD, $CARRY, $CHUNK, $FINISH, $READ, $T, $WRITE, $chain, $levels, $mostLevels, $start, $stride.
#define ADD(a, b) $ADD
#define ADD_ELEMENT(position) { \
  const i64 at = base + (position) * $stride; \
  sum = ADD(sum, $READ); \
  const $T value = ADD(before, sum); \
  $WRITE \
}
$CHUNK
const $T start = $start;
$T levels[$mostLevels];
for (int k = 0; k < $mostLevels; k += 1) levels[k] = 0;
$T upper = start;
i64 blocks = 0;
for (i64 block = begin; block < end; block += $chain * $chain) {
  const i64 blockEnd = SMALLER(block + $chain * $chain, end);
  $T lowest = 0;
  for (i64 first = block; first < blockEnd; first += $chain) {
    const $T before = ADD(upper, lowest);
    $T sum = 0;
    if (blockEnd - first >= $chain) {
#pragma unroll
      for (int k = 0; k < $chain; k += 1) ADD_ELEMENT(first + k)
    } else {
      for (i64 k = first; k < blockEnd; k += 1) ADD_ELEMENT(k)
    }
    lowest = ADD(lowest, sum);
  }
  levels[0] = lowest;
  blocks += 1;
  if (blockEnd - block == $chain * $chain) {
    i64 chains = blocks * $chain;
    $CARRY
    upper = start;
    for (int k = (int)$levels - 1; k > 0; k -= 1) upper = ADD(upper, levels[k]);
  }
}
$T total = 0;
for (int k = (int)$levels - 1; k >= 0; k -= 1) total = ADD(total, levels[k]);
#undef ADD_ELEMENT
#undef ADD
$FINISH
