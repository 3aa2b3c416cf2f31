// For a stride of 2: a register with elements of `from` and zeros between them. The load may read past the last element
// of `from`. Such elements are then past the end of the row and are not stored.
//
// Parameters: $V, $dtype.
core = LOW_LANES($V, LOAD_$dtype(from, column / 2, WIDTH / 2), core);
