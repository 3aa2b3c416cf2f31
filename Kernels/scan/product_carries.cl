// Overwrites the product of each chunk (see products.cl) with the product of the chunks before it. One work-item
// processes all chunks of a line: one outer index and one column. $MULTIPLY is the product of a and b.
//
//   $totals: the products [line, chunk]; $chunks: the chunks of a line; $items: the lines; $localSize: see chunk.cl
//
// Parameters: $MULTIPLY, $T, $chunks, $items, $localSize, $totals.
const i64 line = (i64)GROUP_ID() * $localSize + LOCAL_ID();
if (line >= $items) return;
#define MULTIPLY(a, b) $MULTIPLY
$T product = 1;
for (i64 chunk = 0; chunk < $chunks; chunk += 1) {
  const $T total = $totals[line * $chunks + chunk];
  $totals[line * $chunks + chunk] = product;
  product = MULTIPLY(product, total);
}
#undef MULTIPLY
