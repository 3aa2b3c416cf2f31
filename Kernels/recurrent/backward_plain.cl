// dx = dh · f′(x + p), from h = f(x + p)
//
// Parameters: $V, $dtype, $size, $slope.
const $V h = LOAD_$dtype(all, row * $size + at, count);
const $V inner = held ? $slope : ($V)(0);
STORE_$dtype(ofInput, x, count, inner);
