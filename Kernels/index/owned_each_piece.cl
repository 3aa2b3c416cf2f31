// Runs $USE for each partial sum of scatter_owned.cl that a work-item owns, if the elements of a row share an index: a
// partial sum is then a piece of row `to` of the result. $at is the index of the partial sum, and $extent is the number
// of rows of the result for one `outer`.
//
// Parameters: $USE, $at, $extent.
for (i64 to = 0; to < $extent; to += 1) {
  const i64 at = $at;
  $USE
}
