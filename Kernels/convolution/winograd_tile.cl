// Computes the location of the tile with the number `tile`, a block of 4 × 4 results: its image, and the row (`down`)
// and column (`across`) of its first result. An image has $tilesDown × $tilesAcross tiles.
//
// Parameters: $index, $tilesAcross, $tilesDown.
const $index image = tile / ($tilesDown * $tilesAcross);
const $index line = tile / $tilesAcross;
const $index down = (line - image * $tilesDown) * 4;
const $index across = (tile - line * $tilesAcross) * 4;
