// Runs $USE for each partial sum of scatter_owned.cl that a work-item owns, if each element has an index of its own: a
// partial sum is then one element, in row `to` of the result. $at is the index of the partial sum, and $extent is the
// number of rows of the result for one `outer`.
//
// Parameters: $USE, $at, $extent.
for (i64 to = 0; to < $extent; to += 1) for (i64 column = first; column < last; column += 1) {
  const i64 at = $at;
  $USE
}
