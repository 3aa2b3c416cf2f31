// Adds the element in row j of the source to `sum`. $ENDCHAIN is end_chain.cl or, without a cascade, empty.
//
// Parameters: $ENDCHAIN, $count, $firstSource, $inner, $lane, $source, $type.
sum = row_add_$lane(sum, LOAD_$type($source, $firstSource + (outer * $count + j) * $inner + column, 1));
$ENDCHAIN
