// Adds the element source[outer, j, column] to `sum`. $ENDCHAIN is end_chain.cl, or empty if the sum is short and needs
// no cascade (see reduce.def).
//
// Parameters: $ENDCHAIN, $count, $firstSource, $inner, $lane, $source, $type.
sum = row_add_$lane(sum, LOAD_$type($source, $firstSource + (outer * $count + j) * $inner + column, 1));
$ENDCHAIN
