// The cells of recurrent layers and their derivatives. Included once for each floating-point lane (arithmetic type),
// after lane.h and elementwise.def. The plain cells h = tanh(sum) and h = max(sum, 0) are rows of elementwise.def, and so
// are the gradients of their sums.
//
// For each gate, a cell function gets a sum of two terms: the gate's input, and the product of the previous state and
// the gate's weights. It replaces this sum by the value of the gate. A gradient function gets the values of the gates,
// and replaces each value by the gradient of the gate's sum. `dh` is the gradient of the new hidden state h.

// c = f · c + i · g;  returns h = o · tanh c
ALWAYS_INLINE V FN(lstm_cell)(V *i, V *f, V *g, V *o, V *c) {
  *i = VALUE(sigmoid)(*i);
  *f = VALUE(sigmoid)(*f);
  *g = VALUE(tanh)(*g);
  *o = VALUE(sigmoid)(*o);
  *c = *f * *c + *i * *g;
  return *o * VALUE(tanh)(*c);
}

// dc = dc + dh · o · (1 − tanh² c);  returns the gradient of `previous`, the previous cell state. `c` is the new cell
// state, and `dc` its gradient.
ALWAYS_INLINE V FN(lstm_gradient)(V *i, V *f, V *g, V *o, V c, V previous, V dh, V dc) {
  V value = VALUE(tanh)(c);
  dc = dc + VALUE(tanhGradient)(dh * *o, value);
  V di = VALUE(sigmoidGradient)(dc * *g, *i);
  V df = VALUE(sigmoidGradient)(dc * previous, *f);
  V dg = VALUE(tanhGradient)(dc * *i, *g);
  V result = dc * *f;
  *o = VALUE(sigmoidGradient)(dh * value, *o);
  *i = di;
  *f = df;
  *g = dg;
  return result;
}

// n = tanh(n + r · p);  returns h = (1 − z) · n + z · h. On entry, `n` is only the input of the gate n. `p` is the
// product of the previous state and the gate's weights, plus the bias of this product.
ALWAYS_INLINE V FN(gru_cell)(V *r, V *z, V *n, V p, V h) {
  *r = VALUE(sigmoid)(*r);
  *z = VALUE(sigmoid)(*z);
  *n = VALUE(tanh)(*n + *r * p);
  return (1 - *z) * *n + *z * h;
}

// dn = dh · (1 − z) · (1 − n²);  returns the gradient of the previous state `h` without the terms from the gates'
// products with `h`. `p` is replaced by its gradient.
ALWAYS_INLINE V FN(gru_gradient)(V *r, V *z, V *n, V *p, V h, V dh) {
  V dn = VALUE(tanhGradient)(dh * (1 - *z), *n);
  V dz = VALUE(sigmoidGradient)(dh * (h - *n), *z);
  V dr = VALUE(sigmoidGradient)(dn * *p, *r);
  V result = dh * *z;
  *p = dn * *r;
  *r = dr;
  *z = dz;
  *n = dn;
  return result;
}
