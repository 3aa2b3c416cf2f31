// The variant of spread_any.cl for a stride of 2: elements of `from`, of type $dtype, alternate with the zeros of
// `core`. The load may read past the last element of `from`. Such elements are past the end of the row and are not
// stored.
//
// Parameters: $V, $dtype.
core = LOW_LANES($V, LOAD_$dtype(from, column / 2, WIDTH / 2), core);
