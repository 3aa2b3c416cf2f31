// Packs a factor of a matrix product into contiguous panels of $width columns, so that the product reads memory in
// order. The copy converts elements to the arithmetic type and pads the last panel with zeros:
//
//   source [batch, rows, columns], any strides  →  panels [batch, panel, row, $width]
//
// One work-item copies some rows of one panel.
//
//   $ITEM: pack_item.cl, computes `batch`, `panel`, `chunk` and `end`: the work-item copies rows `chunk` · $rowsPerItem
//       to `end` - 1 of a panel
//   $LOAD: loads `count` elements of row `row`, from column `first` on
//   $rows × $columns: the size of the factor; $panels: the number of its panels; $target: the address of the panels
//
// Parameters: $ITEM, $LOAD, $V, $columns, $index, $lane, $panels, $rows, $rowsPerItem, $target, $width, $zero.
$ITEM
for ($index row = chunk * $rowsPerItem; row < end; row += 1) {
  const $index to = ((batch * $panels + panel) * $rows + row) * $width;
  for ($index column = 0; column < $width; column += WIDTH) {
    const $index first = panel * $width + column;
    const int count = (int)SMALLER($columns - first, ($index)WIDTH);
    $V v = $zero;
    if (count > 0) {
      v = $LOAD;
      if (count < WIDTH) v = CHOOSE_$lane(LANE_MASK(count), v, $zero);
    }
    VSTORE(v, $target + to + column);
  }
}
