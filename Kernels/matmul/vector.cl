// A matrix product in tiles of $tileRows rows × $vectors registers of columns, with the sums in registers. For each
// term k, the kernel multiplies every element of column k of A by row k of a panel of B, which is the part of B in the
// columns of the tile.
//
//            ┌ panel ┐            A is read in place, one segment of terms at a time, through one pointer
//   k  ────  │ b0 b1 │            for each row of the tile. A segment is a part of a row or, if rows are
//   m │ a →  │ sums  │            the windows of an image, the channels of one pixel. If A is column-major,
//                                 one pointer serves all rows of a whole tile.
//                                 B is packed in panels by an earlier launch, or each work-item packs its
//                                 panel, one block of terms at a time, or B is read in place. B is read in
//                                 place only if its columns, rounded up to whole registers, fill all
//                                 panels (`arePanelsWhole`). The last register may read past the end of a
//                                 row of B.
//
// Elements whose type is not the type of the sums are converted when they are read.
//
// The lowering fills in other templates: $LEFT is segment.cl or, for windows, convolution/pixel_tap.cl with
// convolution/pixel_tile.cl as $TILE; $TERMS is one of terms*.cl; $PACK is one of pack_panel*.cl or empty.
//
// The rows of a tile past the last row of A repeat the last row and are not stored. One work-item computes some
// vertically adjacent tiles in some panels. It processes a block of $segmentsPerBlock segments for all these tiles
// before the next block, so that repeated reads hit a cache. Between blocks, `stage` stores the sums.
//
// Parameters: $BATCH, $EPILOGUE, $LEFT, $OUTPUT, $PACK, $PACKED, $RIGHT, $ROW, $T, $TERMS, $TILE, $V, $chunks,
// $columns, $index, $leftT, $panels, $panelsPerItem, $parts, $rows, $segments, $segmentsPerBlock, $stageTiles,
// $tileRows, $tiles, $tilesPerItem, $vectors, $zero.
$index rest = GROUP_ID();
const $index chunk = rest % $chunks;
rest = rest / $chunks;
const $index part = rest % $parts;
const $index batch = rest / $parts;
$BATCH
const $index lastTile = SMALLER((chunk + 1) * $tilesPerItem, $tiles);
const $index lastPanel = SMALLER((part + 1) * $panelsPerItem, $panels);
PRIVATE_ARRAY($T, stage, $stageTiles * $tileRows * $vectors * WIDTH);
$PACKED
$index begin = 0;
do {
  const $index end = SMALLER(begin + $segmentsPerBlock, $segments);
  $T *partials = stage;
  for ($index panel = part * $panelsPerItem; panel < lastPanel; panel += 1) {
    $PACK
    for ($index tile = chunk * $tilesPerItem; tile < lastTile; tile += 1) {
      const $index first = tile * $tileRows;
      $TILE
      $V sums[$tileRows][$vectors];
      CLEAR_TILE(sums, $tileRows, $vectors, $zero);
      if (begin > 0) LOAD_TILE(sums, $tileRows, $vectors, partials, $vectors * WIDTH);
      $RIGHT
      for ($index segment = begin; segment < end; segment += 1) {
        GLOBAL const $leftT *left[$tileRows];
        $LEFT
        $TERMS
      }
      STORE_TILE(sums, $tileRows, $vectors, partials, $vectors * WIDTH);
      if (end == $segments) {
        const int height = (int)SMALLER($rows - first, ($index)$tileRows);
        for (int m = 0; m < height; m += 1) {
          $OUTPUT
          $ROW
          for (int v = 0; v < $vectors; v += 1) {
            const $index column = (panel * $vectors + v) * WIDTH;
            const int count = (int)SMALLER($columns - column, ($index)WIDTH);
            if (count <= 0) break;
            const $V core = VLOAD(partials + (m * $vectors + v) * WIDTH);
            $EPILOGUE
          }
        }
      }
      if ($segments > $segmentsPerBlock) partials += $tileRows * $vectors * WIDTH;
    }
  }
  begin = end;
} while (begin < $segments);
