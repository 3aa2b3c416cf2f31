// The location of a tile: its image, and the pixel of its first result.
//
// Parameters: $index, $tilesAcross, $tilesDown.
const $index image = tile / ($tilesDown * $tilesAcross);
const $index line = tile / $tilesAcross;
const $index down = (line - image * $tilesDown) * 4;
const $index across = (tile - line * $tilesAcross) * 4;
