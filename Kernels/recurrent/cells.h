// The cells of recurrent layers and their derivatives. Included once for each floating-point lane (arithmetic type),
// after lane.h.
//
// For each gate, a cell function gets a sum of two terms: the gate's input, and the product of the previous state and
// the gate's weights. It replaces this sum by the value of the gate. A gradient function gets the values of the gates,
// and replaces each value by the gradient of the gate's sum. `dh` is the gradient of the new hidden state h.

// The derivatives of tanh and of the sigmoid function, from their values.
#undef TANH_DERIVATIVE
#undef SIGMOID_DERIVATIVE
#define TANH_DERIVATIVE(y) (1 - (y) * (y))
#define SIGMOID_DERIVATIVE(y) ((y) * (1 - (y)))

// c = f · c + i · g;  returns h = o · tanh c
ALWAYS_INLINE V FN(lstm_cell)(V *i, V *f, V *g, V *o, V *c) {
  *i = FN(sigmoid)(*i);
  *f = FN(sigmoid)(*f);
  *g = FN(tanh)(*g);
  *o = FN(sigmoid)(*o);
  *c = *f * *c + *i * *g;
  return *o * FN(tanh)(*c);
}

// dc = dc + dh · o · (1 − tanh² c);  returns the gradient of `previous`, the previous cell state. `c` is the new cell
// state, and `dc` its gradient.
ALWAYS_INLINE V FN(lstm_gradient)(V *i, V *f, V *g, V *o, V c, V previous, V dh, V dc) {
  V value = FN(tanh)(c);
  dc = dc + dh * *o * TANH_DERIVATIVE(value);
  V di = dc * *g * SIGMOID_DERIVATIVE(*i);
  V df = dc * previous * SIGMOID_DERIVATIVE(*f);
  V dg = dc * *i * TANH_DERIVATIVE(*g);
  V result = dc * *f;
  *o = dh * value * SIGMOID_DERIVATIVE(*o);
  *i = di;
  *f = df;
  *g = dg;
  return result;
}

// n = tanh(n + r · p);  returns h = (1 − z) · n + z · h. On entry, `n` is only the input of the gate n. `p` is the
// product of the previous state and the gate's weights, plus the bias of this product.
ALWAYS_INLINE V FN(gru_cell)(V *r, V *z, V *n, V p, V h) {
  *r = FN(sigmoid)(*r);
  *z = FN(sigmoid)(*z);
  *n = FN(tanh)(*n + *r * p);
  return (1 - *z) * *n + *z * h;
}

// dn = dh · (1 − z) · (1 − n²);  returns the gradient of the previous state `h` without the terms from the gates'
// products with `h`. `p` is replaced by its gradient.
ALWAYS_INLINE V FN(gru_gradient)(V *r, V *z, V *n, V *p, V h, V dh) {
  V dn = dh * (1 - *z) * TANH_DERIVATIVE(*n);
  V dz = dh * (h - *n) * SIGMOID_DERIVATIVE(*z);
  V dr = dn * *p * SIGMOID_DERIVATIVE(*r);
  V result = dh * *z;
  *p = dn * *r;
  *r = dr;
  *z = dz;
  *n = dn;
  return result;
}

// The plain cells: h = tanh(sum), or h = max(sum, 0) as `maximum` of elementwise.def computes it, which keeps NaN.
ALWAYS_INLINE V FN(tanh_cell)(V sum) { return FN(tanh)(sum); }
ALWAYS_INLINE V FN(relu_cell)(V sum) { return MAXIMUM(sum, 0); }

// The gradients of the sum of a plain cell, from its new state `h`.
ALWAYS_INLINE V FN(tanh_gradient)(V h, V dh) { return dh * TANH_DERIVATIVE(h); }
ALWAYS_INLINE V FN(relu_gradient)(V h, V dh) { return SELECT(h > 0, dh, (V)(0)); }
