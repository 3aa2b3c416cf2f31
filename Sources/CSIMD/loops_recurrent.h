// Cells of recurrent layers. Included once for each floating-point lane.

INLINE V FN(cell_load)(const void *source, size_t at, size_t count) {
  const SCALAR *numbers = (const SCALAR *)source + at;
  if (count >= LANES) return LOAD(V, numbers);
  V part = (V)(0);
  COPY_SOME(V)(&part, numbers, count);
  return part;
}

INLINE void FN(cell_store)(void *target, size_t at, size_t count, V numbers) {
  SCALAR *to = (SCALAR *)target + at;
  if (count >= LANES) {
    STORE(V, to, numbers);
  } else {
    COPY_SOME(V)(to, &numbers, count);
  }
}

#define CELL_LOAD(source, at) FN(cell_load)(source, at, count)
#define CELL_STORE(target, at, numbers) FN(cell_store)(target, at, count, numbers)

INLINE void FN(lstm_forward)(const csimd_cell *cell, size_t at, size_t count) {
  size_t n = cell->size;
  V i = FN(sigmoid)(CELL_LOAD(cell->input, at) + CELL_LOAD(cell->product, at));
  V f = FN(sigmoid)(CELL_LOAD(cell->input, n + at) + CELL_LOAD(cell->product, n + at));
  V g = FN(tanh)(CELL_LOAD(cell->input, 2 * n + at) + CELL_LOAD(cell->product, 2 * n + at));
  V o = FN(sigmoid)(CELL_LOAD(cell->input, 3 * n + at) + CELL_LOAD(cell->product, 3 * n + at));
  V c = f * CELL_LOAD(cell->cell, at) + i * g;
  CELL_STORE(cell->next_cell, at, c);
  CELL_STORE(cell->next_state, at, o * FN(tanh)(c));
  if (cell->kept == NULL) return;
  CELL_STORE(cell->kept, at, i);
  CELL_STORE(cell->kept, n + at, f);
  CELL_STORE(cell->kept, 2 * n + at, g);
  CELL_STORE(cell->kept, 3 * n + at, o);
  CELL_STORE(cell->kept, 4 * n + at, c);
}

INLINE V FN(cell_biased)(const csimd_cell *cell, size_t at, size_t count) {
  V product = CELL_LOAD(cell->product, at);
  return cell->bias == NULL ? product : product + CELL_LOAD(cell->bias, at);
}

INLINE void FN(gru_forward)(const csimd_cell *cell, size_t at, size_t count) {
  size_t size = cell->size;
  V r = FN(sigmoid)(CELL_LOAD(cell->input, at) + FN(cell_biased)(cell, at, count));
  V z = FN(sigmoid)(CELL_LOAD(cell->input, size + at) + FN(cell_biased)(cell, size + at, count));
  V p = FN(cell_biased)(cell, 2 * size + at, count);
  V n = FN(tanh)(CELL_LOAD(cell->input, 2 * size + at) + r * p);
  CELL_STORE(cell->next_state, at, (1 - z) * n + z * CELL_LOAD(cell->state, at));
  if (cell->kept == NULL) return;
  CELL_STORE(cell->kept, at, r);
  CELL_STORE(cell->kept, size + at, z);
  CELL_STORE(cell->kept, 2 * size + at, n);
  CELL_STORE(cell->kept, 3 * size + at, p);
}

static void FN(cell_forward)(const csimd_cell *cell) {
  for (size_t at = 0; at < cell->size; at += LANES) {
    size_t count = cell->size - at;
    switch (cell->kind) {
      case CSIMD_CELL_LSTM: FN(lstm_forward)(cell, at, count); break;
      case CSIMD_CELL_GRU: FN(gru_forward)(cell, at, count); break;
      default: {
        V sum = CELL_LOAD(cell->input, at) + CELL_LOAD(cell->product, at);
        // NaN propagates, as with `max`.
        V relu = SELECT(sum < 0, (V)(0), sum);
        CELL_STORE(cell->next_state, at, cell->kind == CSIMD_CELL_TANH ? FN(tanh)(sum) : relu);
      }
    }
  }
}

INLINE void FN(lstm_backward)(const csimd_cell_gradient *cell, V dh, size_t at, size_t count) {
  size_t n = cell->size;
  V i = CELL_LOAD(cell->kept, at), f = CELL_LOAD(cell->kept, n + at);
  V g = CELL_LOAD(cell->kept, 2 * n + at), o = CELL_LOAD(cell->kept, 3 * n + at);
  V squashed = FN(tanh)(CELL_LOAD(cell->kept, 4 * n + at));
  V dc = CELL_LOAD(cell->carried_cell, at) + dh * o * TANH_SLOPE(squashed);
  CELL_STORE(cell->input_gradient, at, dc * g * SIGMOID_SLOPE(i));
  CELL_STORE(cell->input_gradient, n + at, dc * CELL_LOAD(cell->cell, at) * SIGMOID_SLOPE(f));
  CELL_STORE(cell->input_gradient, 2 * n + at, dc * i * TANH_SLOPE(g));
  CELL_STORE(cell->input_gradient, 3 * n + at, dh * squashed * SIGMOID_SLOPE(o));
  CELL_STORE(cell->carried_cell, at, dc * f);
  CELL_STORE(cell->carried, at, (V)(0));
}

INLINE void FN(gru_backward)(const csimd_cell_gradient *cell, V dh, size_t at, size_t count) {
  size_t size = cell->size;
  V r = CELL_LOAD(cell->kept, at), z = CELL_LOAD(cell->kept, size + at);
  V n = CELL_LOAD(cell->kept, 2 * size + at);
  V dn = dh * (1 - z) * TANH_SLOPE(n);
  V dz = dh * (CELL_LOAD(cell->state, at) - n) * SIGMOID_SLOPE(z);
  V dr = dn * CELL_LOAD(cell->kept, 3 * size + at) * SIGMOID_SLOPE(r);
  CELL_STORE(cell->input_gradient, at, dr);
  CELL_STORE(cell->input_gradient, size + at, dz);
  CELL_STORE(cell->input_gradient, 2 * size + at, dn);
  CELL_STORE(cell->product_gradient, at, dr);
  CELL_STORE(cell->product_gradient, size + at, dz);
  CELL_STORE(cell->product_gradient, 2 * size + at, dn * r);
  CELL_STORE(cell->carried, at, dh * z);
}

static void FN(cell_backward)(const csimd_cell_gradient *cell) {
  for (size_t at = 0; at < cell->size; at += LANES) {
    size_t count = cell->size - at;
    V dh = CELL_LOAD(cell->carried, at) + CELL_LOAD(cell->product, at);
    if (cell->gradient != NULL) dh += CELL_LOAD(cell->gradient, at);
    switch (cell->kind) {
      case CSIMD_CELL_LSTM: FN(lstm_backward)(cell, dh, at, count); break;
      case CSIMD_CELL_GRU: FN(gru_backward)(cell, dh, at, count); break;
      default: {
        V h = CELL_LOAD(cell->next_state, at);
        V inner = cell->kind == CSIMD_CELL_TANH ? dh * TANH_SLOPE(h) : SELECT(h > 0, dh, (V)(0));
        CELL_STORE(cell->input_gradient, at, inner);
        CELL_STORE(cell->carried, at, (V)(0));
      }
    }
  }
}

#undef CELL_LOAD
#undef CELL_STORE
