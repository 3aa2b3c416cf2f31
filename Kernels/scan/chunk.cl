// Sets the chunk of the scanned axis that a work-item computes (see products.cl): positions `begin` to `end` - 1 in the
// direction of the scan, for `count` columns of the inner axis. `base` is the offset of position 0 of the first column.
//
// Parameters: $blocks, $chunkSize, $chunks, $extent, $inner, $items, $localSize, $origin, $width.
const i64 item = (i64)GROUP_ID() * $localSize + LOCAL_ID();
if (item >= $items) return;
const i64 chunk = item % $chunks;
const i64 line = item / $chunks;
const i64 outer = line / $blocks;
const i64 column = (line - outer * $blocks) * $width;
const int count = (int)SMALLER((i64)$width, $inner - column);
const i64 base = outer * $extent * $inner + column + $origin;
const i64 begin = chunk * $chunkSize;
const i64 end = SMALLER(begin + $chunkSize, $extent);
