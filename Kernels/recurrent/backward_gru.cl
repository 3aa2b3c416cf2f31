// The forward pass of a GRU stored the gates r, z and n and the product p (see cells.h). This code replaces them by
// their gradients. The gradients of r, z and n are the gradient of the input. The gradients of r, z and p are the
// gradient of the product of the previous state and the weights, with its bias. $state, at offset $stateOffset, has the
// initial states; backward.cl explains the other names.
//
// Parameters: $T, $V, $batch, $dtype, $lane, $size, $state, $stateOffset.
$V reset = ($V)(0), z = ($V)(0), n = ($V)(0), p = ($V)(0);
if (valid) {
  GLOBAL const $T *gates = kept + row * 4 * $size + at;
  GLOBAL const $T *old = step == 0 ? $state + $stateOffset + unit
                                   : all + (previous * $batch + sequence) * $size + at;
  reset = LOAD_$dtype(gates, 0, count);
  z = LOAD_$dtype(gates, $size, count);
  n = LOAD_$dtype(gates, 2 * $size, count);
  p = LOAD_$dtype(gates, 3 * $size, count);
  past = gru_gradient_$lane(&reset, &z, &n, &p, LOAD_$dtype(old, 0, count), dh);
}
STORE_$dtype(ofInput, x, count, reset);
STORE_$dtype(ofInput, x + $size, count, z);
STORE_$dtype(ofInput, x + 2 * $size, count, n);
STORE_$dtype(ofProduct, x, count, reset);
STORE_$dtype(ofProduct, x + $size, count, z);
STORE_$dtype(ofProduct, x + 2 * $size, count, p);
