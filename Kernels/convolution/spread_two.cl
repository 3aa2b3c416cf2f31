// A register of elements of `from` with zeros between them. Elements that are read past the last one end up past the
// end of the row and are not stored.
//
// Parameters: $V, $dtype.
core = LOW_LANES($V, LOAD_$dtype(from, column / 2, WIDTH / 2), core);
