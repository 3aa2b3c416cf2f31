// A register of elements of `from` with zeros between them; those past the last fall past the end of the row.
core = LOW_LANES($V, LOAD_$dtype(from, column / 2, WIDTH / 2), core);
