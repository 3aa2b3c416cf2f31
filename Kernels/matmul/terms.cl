// Adds one segment of a matrix product, `span` terms along the inner dimension, to the sums of a tile. $TERM is
// term.cl; it adds the term with the index `k` in the segment.
//
// Parameters: $TERM, $index.
for ($index k = 0; k < span; k += 1) {
  $TERM
}
