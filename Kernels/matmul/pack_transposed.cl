// The same as matmul/pack.cl where the columns of the source are contiguous: blocks of WIDTH rows and
// WIDTH columns are transposed in registers.
$index rest = GROUP_ID();
const $index chunk = rest % $chunks;
rest = rest / $chunks;
const $index panel = rest % $panels;
const $index batch = rest / $panels;
$BATCH
const $index end = SMALLER((chunk + 1) * $rowsPerItem, $rows);
for ($index column = 0; column < $width; column += WIDTH) {
  const $index first = panel * $width + column;
  const int count = (int)SMALLER($columns - first, ($index)WIDTH);
  for ($index row = chunk * $rowsPerItem; row < end; row += WIDTH) {
    const int height = (int)SMALLER(end - row, ($index)WIDTH);
    const $index to = ((batch * $panels + panel) * $rows + row) * $width + column;
    $V square[WIDTH];
    UNROLL for (int lane = 0; lane < WIDTH; lane += 1) {
      square[lane] = LOAD_$dtype($source, $offset + row + SMALLER(first + lane, $columns - 1) * $columnStride, height);
    }
    PRIVATE_ARRAY($T, transposed, WIDTH * WIDTH);
    TRANSPOSE(square, transposed);
    for (int i = 0; i < height; i += 1) {
      $V v = VLOAD(transposed + i * WIDTH);
      if (count < WIDTH) v = CHOOSE_$lane(HELD(count), v, $zero);
      VSTORE(v, $target + to + i * $width);
    }
  }
}
