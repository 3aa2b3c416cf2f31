// dx = dh · f′(x + p), from h = f(x + p)
//
// Parameters: $V, $dtype, $function, $size.
const $V h = LOAD_$dtype(all, row * $size + at, count);
const $V inner = valid ? $function : ($V)(0);
STORE_$dtype(ofInput, x, count, inner);
