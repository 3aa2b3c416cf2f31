// A register of zeros and the elements of `from` that are a multiple of $stepW in it.
PRIVATE_ARRAY($T, spread, WIDTH);
VSTORE(core, spread);
const $index first = (column + $stepW - 1) / $stepW;
const $index last = SMALLER((column + count - 1) / $stepW + 1, $sourceW);
for ($index w = first; w < last; w += 1) spread[w * $stepW - column] = from[w];
core = VLOAD(spread);
