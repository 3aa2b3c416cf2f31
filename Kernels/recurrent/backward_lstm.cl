// The gradients of an LSTM, see cells.h. The forward pass stored the gates i, f, g and o and the cell state c. $cell,
// at offset $cellOffset, has the initial cell states; backward.cl explains the other names.
//
// Parameters: $T, $V, $batch, $cell, $cellOffset, $dtype, $lane, $size.
$V i = ($V)(0), f = ($V)(0), g = ($V)(0), o = ($V)(0);
if (valid) {
  GLOBAL const $T *gates = kept + row * 5 * $size + at;
  GLOBAL const $T *old = step == 0 ? $cell + $cellOffset + unit
                                   : kept + ((previous * $batch + sequence) * 5 + 4) * $size + at;
  i = LOAD_$dtype(gates, 0, count);
  f = LOAD_$dtype(gates, $size, count);
  g = LOAD_$dtype(gates, 2 * $size, count);
  o = LOAD_$dtype(gates, 3 * $size, count);
  const $V c = LOAD_$dtype(gates, 4 * $size, count);
  const $V dc = EXACT_$dtype(carriedCell, unit, count);
  STORE_$dtype(carriedCell, unit, count, lstm_gradient_$lane(&i, &f, &g, &o, c, LOAD_$dtype(old, 0, count), dh, dc));
}
STORE_$dtype(ofInput, x, count, i);
STORE_$dtype(ofInput, x + $size, count, f);
STORE_$dtype(ofInput, x + 2 * $size, count, g);
STORE_$dtype(ofInput, x + 3 * $size, count, o);
