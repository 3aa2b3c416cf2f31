// Overwrites the sum of each chunk (see sums.cl) with the sum of the chunks before it, which the upper levels of the
// cascade compute. $CARRY is carry.cl.
//
// Parameters: $CARRY, $T, $chunks, $items, $levels, $localSize, $mostLevels, $totals.
const i64 line = (i64)GROUP_ID() * $localSize + LOCAL_ID();
if (line >= $items) return;
$T levels[$mostLevels];
for (int k = 0; k < $mostLevels; k += 1) levels[k] = 0;
for (i64 chunk = 0; chunk < $chunks; chunk += 1) {
  const $T total = $totals[line * $chunks + chunk];
  $T before = 0;
  for (int k = (int)$levels - 1; k >= 0; k -= 1) before = before + levels[k];
  $totals[line * $chunks + chunk] = before;
  levels[0] = levels[0] + total;
  i64 chains = chunk + 1;
  $CARRY
}
