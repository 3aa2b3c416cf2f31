// One time step of a recurrent layer for one sequence, and its gradient: the formulas of cells.h, 16 elements at a
// time. Included once for each floating-point type.

#include "../../Kernels/recurrent/cells.h"

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
  V i = CELL_LOAD(cell->input, at) + CELL_LOAD(cell->product, at);
  V f = CELL_LOAD(cell->input, n + at) + CELL_LOAD(cell->product, n + at);
  V g = CELL_LOAD(cell->input, 2 * n + at) + CELL_LOAD(cell->product, 2 * n + at);
  V o = CELL_LOAD(cell->input, 3 * n + at) + CELL_LOAD(cell->product, 3 * n + at);
  V c = CELL_LOAD(cell->cell, at);
  V h = FN(lstm_cell)(&i, &f, &g, &o, &c);
  CELL_STORE(cell->next_cell, at, c);
  CELL_STORE(cell->next_state, at, h);
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
  V r = CELL_LOAD(cell->input, at) + FN(cell_biased)(cell, at, count);
  V z = CELL_LOAD(cell->input, size + at) + FN(cell_biased)(cell, size + at, count);
  V n = CELL_LOAD(cell->input, 2 * size + at);
  V p = FN(cell_biased)(cell, 2 * size + at, count);
  CELL_STORE(cell->next_state, at, FN(gru_cell)(&r, &z, &n, p, CELL_LOAD(cell->state, at)));
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
        V h = cell->kind == CSIMD_CELL_TANH ? VALUE(tanh)(sum) : VALUE(relu)(sum);
        CELL_STORE(cell->next_state, at, h);
      }
    }
  }
}

INLINE void FN(lstm_backward)(const csimd_cell_gradient *cell, V dh, size_t at, size_t count) {
  size_t n = cell->size;
  V i = CELL_LOAD(cell->kept, at), f = CELL_LOAD(cell->kept, n + at);
  V g = CELL_LOAD(cell->kept, 2 * n + at), o = CELL_LOAD(cell->kept, 3 * n + at);
  V c = CELL_LOAD(cell->kept, 4 * n + at), previous = CELL_LOAD(cell->cell, at);
  V dc = FN(lstm_gradient)(&i, &f, &g, &o, c, previous, dh, CELL_LOAD(cell->carried_cell, at));
  CELL_STORE(cell->input_gradient, at, i);
  CELL_STORE(cell->input_gradient, n + at, f);
  CELL_STORE(cell->input_gradient, 2 * n + at, g);
  CELL_STORE(cell->input_gradient, 3 * n + at, o);
  CELL_STORE(cell->carried_cell, at, dc);
  CELL_STORE(cell->carried, at, (V)(0));
}

INLINE void FN(gru_backward)(const csimd_cell_gradient *cell, V dh, size_t at, size_t count) {
  size_t size = cell->size;
  V r = CELL_LOAD(cell->kept, at), z = CELL_LOAD(cell->kept, size + at);
  V n = CELL_LOAD(cell->kept, 2 * size + at), p = CELL_LOAD(cell->kept, 3 * size + at);
  V carried = FN(gru_gradient)(&r, &z, &n, &p, CELL_LOAD(cell->state, at), dh);
  CELL_STORE(cell->input_gradient, at, r);
  CELL_STORE(cell->input_gradient, size + at, z);
  CELL_STORE(cell->input_gradient, 2 * size + at, n);
  CELL_STORE(cell->product_gradient, at, r);
  CELL_STORE(cell->product_gradient, size + at, z);
  CELL_STORE(cell->product_gradient, 2 * size + at, p);
  CELL_STORE(cell->carried, at, carried);
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
        V sum = cell->kind == CSIMD_CELL_TANH ? VALUE(tanhGradient)(dh, h) : VALUE(reluGradient)(dh, h);
        CELL_STORE(cell->input_gradient, at, sum);
        CELL_STORE(cell->carried, at, (V)(0));
      }
    }
  }
}

#undef CELL_LOAD
#undef CELL_STORE
