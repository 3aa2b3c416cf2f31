// dx = dh · f′(x + p), computed from h = f(x + p), where f is tanh or relu and p the product of the previous state and
// the weights
//
// Parameters: $V, $dtype, $function, $size.
const $V h = LOAD_$dtype(all, row * $size + at, count);
const $V inner = valid ? $function : ($V)(0);
STORE_$dtype(ofInput, x, count, inner);
