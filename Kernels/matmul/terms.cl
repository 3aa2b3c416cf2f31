// The terms of a segment.
for ($index k = 0; k < span; k += 1) {
  $TERM
}
