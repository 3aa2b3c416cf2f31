// A register of elements of `from` with zeros between them. What is read past the last element lands past the end of the
// row, and is not stored.
core = LOW_LANES($V, LOAD_$dtype(from, column / 2, WIDTH / 2), core);
