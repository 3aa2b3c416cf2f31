// Adds the element source[outer, j, column] to `sum`. $ENDCHAIN is end_chain.cl, or empty if the sum is short and needs
// no cascade (see reduce.def).
//
//   $source, $firstSource: the array of the source, of type $type, and its offset
//   $count, $inner: the extents of the axes j and column
//
// Parameters: $ENDCHAIN, $count, $firstSource, $inner, $lane, $source, $type.
sum = row_add_$lane(sum, LOAD_$type($source, $firstSource + (outer * $count + j) * $inner + column, 1));
$ENDCHAIN
