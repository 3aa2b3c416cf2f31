// dn = dh · (1 − z) · (1 − n²)
//
// Parameters: $T, $V, $batch, $dtype, $size, $state, $stateOffset.
$V dr = ($V)(0), dz = ($V)(0), dn = ($V)(0), dp = ($V)(0);
if (held) {
  GLOBAL const $T *gates = kept + row * 4 * $size + at;
  GLOBAL const $T *old = step == 0 ? $state + $stateOffset + unit
                                   : all + (previous * $batch + sequence) * $size + at;
  const $V reset = LOAD_$dtype(gates, 0, count), z = LOAD_$dtype(gates, $size, count);
  const $V n = LOAD_$dtype(gates, 2 * $size, count);
  dn = dh * (1 - z) * TANH_SLOPE(n);
  dz = dh * (LOAD_$dtype(old, 0, count) - n) * SIGMOID_SLOPE(z);
  dr = dn * LOAD_$dtype(gates, 3 * $size, count) * SIGMOID_SLOPE(reset);
  dp = dn * reset;
  past = dh * z;
}
STORE_$dtype(ofInput, x, count, dr);
STORE_$dtype(ofInput, x + $size, count, dz);
STORE_$dtype(ofInput, x + 2 * $size, count, dn);
STORE_$dtype(slopes, x, count, dr);
STORE_$dtype(slopes, x + $size, count, dz);
STORE_$dtype(slopes, x + 2 * $size, count, dp);
