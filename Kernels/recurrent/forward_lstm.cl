// One time step of an LSTM, for forward.cl; cells.h has the formulas of the gates i, f, g and o, the cell state c and
// the hidden state h. If $keeps is 1, stores i, f, g, o and c for the backward pass. $cell, at offset $cellOffset, has
// the initial cell states; forward.cl explains the other names.
//
// Parameters: $T, $V, $cell, $cellOffset, $dtype, $input, $keeps, $lane, $size.
$V c = step == 0 ? LOAD_$dtype($cell, $cellOffset + unit, count) : EXACT_$dtype(cells, unit, count);
$V i = ($V)(0), f = ($V)(0), g = ($V)(0), o = ($V)(0);
if (valid) {
  i = LOAD_$dtype($input, x, count) + sums[0][r];
  f = LOAD_$dtype($input, x + $size, count) + sums[1][r];
  g = LOAD_$dtype($input, x + 2 * $size, count) + sums[2][r];
  o = LOAD_$dtype($input, x + 3 * $size, count) + sums[3][r];
  h = lstm_cell_$lane(&i, &f, &g, &o, &c);
}
STORE_$dtype(cells, unit, count, c);
if ($keeps) {
  GLOBAL $T *kept = cells + stateCount + row * 5 * $size + at;
  STORE_$dtype(kept, 0, count, i);
  STORE_$dtype(kept, $size, count, f);
  STORE_$dtype(kept, 2 * $size, count, g);
  STORE_$dtype(kept, 3 * $size, count, o);
  STORE_$dtype(kept, 4 * $size, count, c);
}
