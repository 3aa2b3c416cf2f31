// dx = dh · f′(x + p), where x is the input, p the product of the previous state and the weights, and f is tanh or
// relu. $function computes dx from `dh` and h = f(x + p). Where the mask is false, dx is 0. backward.cl explains the
// other names.
//
// Parameters: $V, $dtype, $function, $size.
const $V h = LOAD_$dtype(all, row * $size + at, count);
const $V inner = valid ? $function : ($V)(0);
STORE_$dtype(ofInput, x, count, inner);
