// Adds the terms of a segment.
//
// Parameters: $TERM, $index.
for ($index k = 0; k < span; k += 1) {
  $TERM
}
