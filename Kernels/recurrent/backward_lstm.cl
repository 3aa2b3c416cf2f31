// The gradients of the gates of an LSTM, with the cell c of the time step and the cell c' of the step before:
//
//   dc = dc + dh · o · (1 − tanh² c)
//   di = dc · g · i (1 − i)      df = dc · c' · f (1 − f)
//   dg = dc · i · (1 − g²)       do = dh · tanh c · o (1 − o)
//
// The gradient that flows to c' is dc · f. Padding has zero gradients, and its dc stays.
//
// Parameters: $T, $V, $batch, $cell, $cellOffset, $dtype, $lane, $size.
$V di = ($V)(0), df = ($V)(0), dg = ($V)(0), dout = ($V)(0);
if (held) {
  GLOBAL const $T *gates = kept + row * 5 * $size + at;
  GLOBAL const $T *old = step == 0 ? $cell + $cellOffset + unit
                                   : kept + ((previous * $batch + sequence) * 5 + 4) * $size + at;
  const $V i = LOAD_$dtype(gates, 0, count), f = LOAD_$dtype(gates, $size, count);
  const $V g = LOAD_$dtype(gates, 2 * $size, count), o = LOAD_$dtype(gates, 3 * $size, count);
  const $V squashed = tanh_$lane(LOAD_$dtype(gates, 4 * $size, count));
  const $V dc = EXACT_$dtype(carriedCell, unit, count) + dh * o * TANH_SLOPE(squashed);
  di = dc * g * SIGMOID_SLOPE(i);
  df = dc * LOAD_$dtype(old, 0, count) * SIGMOID_SLOPE(f);
  dg = dc * i * TANH_SLOPE(g);
  dout = dh * squashed * SIGMOID_SLOPE(o);
  STORE_$dtype(carriedCell, unit, count, dc * f);
}
STORE_$dtype(ofInput, x, count, di);
STORE_$dtype(ofInput, x + $size, count, df);
STORE_$dtype(ofInput, x + 2 * $size, count, dg);
STORE_$dtype(ofInput, x + 3 * $size, count, dout);
