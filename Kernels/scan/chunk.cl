// Determines the chunk of the scanned axis that a work-item computes (see products.cl): positions `begin` to `end` - 1,
// counted in the direction of the scan, for `count` columns of the inner axis. `base` is the offset of position 0 of
// the first column.
//
//   $extent, $inner: the extents of the scanned axis and of the inner axis
//   $chunks, $chunkSize: the number of chunks of the scanned axis, and the positions of a chunk
//   $blocks, $width: the number of blocks of the inner axis, and the columns of a block
//   $items: the work-items of the launch; $localSize: those of a group
//   $origin: the offset of position 0 from the start of the axis; not 0 if the scan begins at the end of the axis
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
