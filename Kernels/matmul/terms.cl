// Adds one segment, `span` terms of the inner dimension, to the sums of a tile.
//
// Parameters: $TERM, $index.
for ($index k = 0; k < span; k += 1) {
  $TERM
}
