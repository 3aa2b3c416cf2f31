// A matrix product in tiles of $tileRows rows × $vectors registers of columns, with the sums in registers. For each
// term k, the kernel multiplies every element of column k of A by row k of a panel of B. A panel is the part of B in
// the columns of one tile.
//
//            ┌ panel ┐
//   k  ────  │ b0 b1 │     a: the element of A in row m and column k
//   m │ a →  │ sums  │     b0, b1: the elements of B in row k and the columns of the panel, in registers
//
// A is read in place, one segment of terms at a time, through one pointer for each row of the tile. A segment is a part
// of a row of A. If the rows of A are the windows of an image, a segment is the channels of one pixel. If A is
// column-major, one pointer serves all rows of a tile that is not cut off by the last row of A.
//
// B is read in one of three ways: from panels that an earlier launch packed; from a panel that the work-item packs, one
// block of terms at a time; or in place. B is read in place only if its columns, rounded up to whole registers, fill
// all panels (`arePanelsWhole`). The last register may then read past the end of a row of B.
//
// The kernel converts elements whose type is not the type of the sums when it reads them.
//
// The rows of a tile past the last row of A repeat the last row and are not stored. One work-item computes some
// vertically adjacent tiles in some panels. It processes a block of $segmentsPerBlock segments for all these tiles
// before the next block, so that repeated reads hit a cache. Between blocks, `stage` stores the sums; it has room for
// $stageTiles tiles.
//
//   $rows × $columns: the size of a product; $segments: the number of segments
//   $tiles: the number of tiles of one panel; $tilesPerItem of them for each of $chunks work-items
//   $panels: the number of panels of a product; $panelsPerItem of them for each of $parts work-items
//   $BATCH: computes the offsets of A and B in product `batch`
//   $LEFT: segment.cl, sets `span` to the number of terms of segment `segment`, and `left[m]`, of C type $leftT, to the
//       address of the segment in row m of the tile; for windows, convolution/pixel_tap.cl
//   $TILE: for windows, convolution/pixel_tile.cl, computes the pixels of the windows; else empty
//   $RIGHT: right.cl, sets `row` to the address of B for segment `begin`. If the work-item packs B, `row` is `packed`:
//       $PACKED declares this array, and $PACK is one of pack_panel*.cl. Else, both are empty.
//   $TERMS: one of terms*.cl, adds a segment to `sums`
//   $OUTPUT: sets `output`, the number of row m of the tile among the rows of all products
//   $ROW, $EPILOGUE: apply the fused elementwise operations to the sums and store the results. $ROW prepares the row
//       with the index `output`; $EPILOGUE processes `core`, the `count` sums of this row from `column` on. If a later
//       launch adds up sums, $EPILOGUE stores `core` in the workspace, and $ROW is empty.
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
