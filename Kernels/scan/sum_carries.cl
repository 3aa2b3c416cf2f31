// Overwrites the sum of each chunk (see sums.cl) with the sum of all chunks before it on the same line, a vector along
// the axis of the scan. The sums of the chunks are the terms of the cascade's upper levels (see reduce.def), as if the
// line were not split into chunks. $ADD is the sum of a and b, $CARRY is carry.cl.
//
//   $levels: the number of levels for the chunks of a line; $mostLevels: their largest number
//   $totals: the sums [line, chunk]; $chunks: the chunks of a line; $items: the lines; $localSize: see chunk.cl
//
// Parameters: $ADD, $CARRY, $T, $chunks, $items, $levels, $localSize, $mostLevels, $totals.
const i64 line = (i64)GROUP_ID() * $localSize + LOCAL_ID();
if (line >= $items) return;
#define ADD(a, b) $ADD
$T levels[$mostLevels];
for (int k = 0; k < $mostLevels; k += 1) levels[k] = 0;
for (i64 chunk = 0; chunk < $chunks; chunk += 1) {
  const $T total = $totals[line * $chunks + chunk];
  $T before = 0;
  for (int k = (int)$levels - 1; k >= 0; k -= 1) before = ADD(before, levels[k]);
  $totals[line * $chunks + chunk] = before;
  levels[0] = ADD(levels[0], total);
  i64 chains = chunk + 1;
  $CARRY
}
#undef ADD
