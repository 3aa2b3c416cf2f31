// Fills in `core`, a vector register of zeros. Lane i is for column c = `column` + i of the result. If c is a multiple
// of $stepW, the stride, the lane gets element c / $stepW of `from`, a row of $sourceW elements.
//
// Parameters: $T, $index, $sourceW, $stepW.
PRIVATE_ARRAY($T, spread, WIDTH);
VSTORE(core, spread);
const $index first = CEIL_DIVIDE(column, $stepW);
const $index last = SMALLER((column + count - 1) / $stepW + 1, $sourceW);
for ($index w = first; w < last; w += 1) spread[w * $stepW - column] = from[w];
core = VLOAD(spread);
