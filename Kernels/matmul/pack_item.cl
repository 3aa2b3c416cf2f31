// Determines what a work-item packs: rows `chunk` * $rowsPerItem to `end` - 1 of panel `panel` (see pack.cl).
//
// Parameters: $BATCH, $chunks, $index, $panels, $rows, $rowsPerItem.
$index rest = GROUP_ID();
const $index chunk = rest % $chunks;
rest = rest / $chunks;
const $index panel = rest % $panels;
const $index batch = rest / $panels;
$BATCH
const $index end = SMALLER((chunk + 1) * $rowsPerItem, $rows);
