// The rows of a panel that a work-item packs: from row `chunk` * $rowsPerItem to row `end` - 1.
//
// Parameters: $BATCH, $chunks, $index, $panels, $rows, $rowsPerItem.
$index rest = GROUP_ID();
const $index chunk = rest % $chunks;
rest = rest / $chunks;
const $index panel = rest % $panels;
const $index batch = rest / $panels;
$BATCH
const $index end = SMALLER((chunk + 1) * $rowsPerItem, $rows);
