// The variant of matmul/pack.cl for a column-major source. The kernel transposes blocks of WIDTH rows by WIDTH columns
// in registers. The source is the array $source, of type $dtype; the factor begins at $offset, and its columns have the
// stride $columnStride. pack.cl explains the other names.
//
// Parameters: $ITEM, $V, $columnStride, $columns, $dtype, $index, $lane, $offset, $panels, $rows, $rowsPerItem,
// $source, $target, $width, $zero.
$ITEM
for ($index column = 0; column < $width; column += WIDTH) {
  const $index first = panel * $width + column;
  const int count = (int)SMALLER($columns - first, ($index)WIDTH);
  for ($index row = chunk * $rowsPerItem; row < end; row += WIDTH) {
    const int height = (int)SMALLER(end - row, ($index)WIDTH);
    const $index to = ((batch * $panels + panel) * $rows + row) * $width + column;
    $V tile[WIDTH];
    UNROLL for (int lane = 0; lane < WIDTH; lane += 1) {
      tile[lane] = LOAD_$dtype($source, $offset + row + SMALLER(first + lane, $columns - 1) * $columnStride, height);
    }
    TRANSPOSE(tile);
    UNROLL for (int i = 0; i < WIDTH; i += 1) {
      if (i < height) VSTORE(CHOOSE_$lane(LANE_MASK(count), tile[i], $zero), $target + to + i * $width);
    }
  }
}
