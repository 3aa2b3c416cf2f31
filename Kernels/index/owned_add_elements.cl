// Adds columns `first` to `last` - 1 of row j of the source to `sums`, for scatter_owned.cl, if each element has an
// index of its own. $TO loads the index of the element in `column`. owned_add_row.cl explains the other names.
//
// Parameters: $COUNTTERM, $FAULT, $TO, $V, $count, $extent, $firstSource, $inner, $lane, $source, $type.
for (i64 column = first; column < last; column += 1) {
  const i64 to = $TO;
  if (to < 0 || to >= $extent) { $FAULT continue; }
  sums[to * $inner + column] = FIRST_$lane(row_add_$lane(($V)(sums[to * $inner + column]), ($V)(FIRST_$lane(SPLAT_$type($source, $firstSource + (outer * $count + j) * $inner + column)))));
  $COUNTTERM
}
