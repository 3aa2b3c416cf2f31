// Determines what a work-item packs: rows `chunk` * $rowsPerItem to `end` - 1 of panel `panel` (see pack.cl).
//
//   $BATCH: computes the offset in the source of the factor with the number `batch`
//   $rows, $panels: the rows and panels of a factor; $chunks: the work-items of a panel
//
// Parameters: $BATCH, $chunks, $index, $panels, $rows, $rowsPerItem.
$index rest = GROUP_ID();
const $index chunk = rest % $chunks;
rest = rest / $chunks;
const $index panel = rest % $panels;
const $index batch = rest / $panels;
$BATCH
const $index end = SMALLER((chunk + 1) * $rowsPerItem, $rows);
