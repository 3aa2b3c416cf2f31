// Adds the terms of a segment to the sums.
//
// Parameters: $TERM, $index.
for ($index k = 0; k < span; k += 1) {
  $TERM
}
