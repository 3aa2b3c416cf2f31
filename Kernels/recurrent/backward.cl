// One work-group computes the gradients of $rowsPerGroup sequences, from the last time step to the first.
//
//   result  gradients of the input [times, batch, gates, size], of the initial states [states, batch, size] and, for a
//           GRU, of the biased product of the previous state and the weights [times, batch, gates, size]
//   weight  [gates · size, size]
//
// During the loop over the time steps, the memory of the states' gradients (`carried`, `carriedCell`) holds the
// gradients that flow to the previous time step. In each time step, the whole group first computes the gradients of the
// product of the previous state and the weights. Then it multiplies these gradients by the weights, for $rows sequences
// and $vectors registers of WIDTH columns at a time. If $vectors is not 1, $size is a multiple of $vectors · WIDTH.
//
//   $times, $batch, $gates, $size: the extents above; $states: 2 for an LSTM, else 1
//   $localSize: the work-items of a group
//   $isReversed: 1 if time steps go from the last position of a sequence to the first, else 0
//   $CELL: backward_plain.cl, backward_gru.cl or backward_lstm.cl, stores the gradients of the gates; for a GRU, also
//       sets `past`, the gradient of the previous state without the product; for an LSTM, also updates `carriedCell`
//   $VALID: whether a time step of a sequence changes the state: the value of the mask, or 1
//   $WEIGHT: loads register `v` of the columns from `at` on, in row `k` of the weights
//   $GRADIENT: adds the gradient of the state of one time step (` + …`), or is empty
//   $LAST, $LASTCELL: load the gradients of the last states, or are zeros
//   $forward, $result: the result of forward.cl and the result of this kernel, of type $dtype, at the offsets
//       $forwardOffset and $resultOffset
//   $product: the address of the gradients of the product: for a GRU, the last part of the result. For other kinds, the
//       gradients of the product are the gradients of the input, so it is `ofInput`.
//
// Parameters: $CELL, $GRADIENT, $LAST, $LASTCELL, $T, $V, $VALID, $WEIGHT, $batch, $dtype, $forward, $forwardOffset,
// $gates, $isReversed, $lane, $localSize, $product, $result, $resultOffset, $rows, $rowsPerGroup, $size, $states,
// $times, $vectors.
const i64 first = (i64)GROUP_ID() * $rowsPerGroup;
const i64 end = SMALLER(first + $rowsPerGroup, (i64)$batch);
const i64 stateCount = $batch * $size;
GLOBAL const $T *all = $forward + $forwardOffset;
GLOBAL const $T *kept = all + ($times + $states) * stateCount;
GLOBAL $T *ofInput = $result + $resultOffset;
GLOBAL $T *carried = ofInput + $times * $gates * stateCount;
GLOBAL $T *carriedCell = carried + stateCount;
GLOBAL $T *ofProduct = $product;
for (i64 at = LOCAL_ID() * WIDTH; at < $size; at += $localSize * WIDTH) {
  const int count = (int)SMALLER((i64)WIDTH, $size - at);
  for (i64 row = first; row < end; row += 1) {
    const i64 unit = row * $size + at;
    STORE_$dtype(carried, unit, count, $LAST);
    if ($states == 2) STORE_$dtype(carriedCell, unit, count, $LASTCELL);
  }
}
for (i64 step = $times - 1; step >= 0; step -= 1) {
  const i64 position = $isReversed ? $times - 1 - step : step;
  const i64 previous = position + ($isReversed ? 1 : -1);
  // The inner loop runs along the elements of one sequence's state, so that the hardware prefetches their cache lines.
  for (i64 sequence = first; sequence < end; sequence += 1) {
    for (i64 at = LOCAL_ID() * WIDTH; at < $size; at += $localSize * WIDTH) {
      const int count = (int)SMALLER((i64)WIDTH, $size - at);
      const i64 row = position * $batch + sequence;
      const i64 unit = sequence * $size + at;
      const i64 x = row * $gates * $size + at;
      const int valid = $VALID;
      const $V dh = EXACT_$dtype(carried, unit, count)$GRADIENT;
      $V past = valid ? ($V)(0) : dh;
      $CELL
      STORE_$dtype(carried, unit, count, past);
    }
  }
  GLOBAL_BARRIER();
  for (i64 at = LOCAL_ID() * $vectors * WIDTH; at < $size; at += $localSize * $vectors * WIDTH) {
    const int count = (int)SMALLER((i64)WIDTH, $size - at);
    for (i64 block = first; block < end; block += $rows) {
      $V sums[$vectors][$rows];
      i64 rowAt[$rows];
      UNROLL for (int r = 0; r < $rows; r += 1) {
        UNROLL for (int v = 0; v < $vectors; v += 1) sums[v][r] = ($V)(0);
        rowAt[r] = (position * $batch + SMALLER(block + r, $batch - 1)) * $gates * $size;
      }
      for (i64 k = 0; k < $gates * $size; k += 1) {
        UNROLL for (int v = 0; v < $vectors; v += 1) {
          const $V w = $WEIGHT;
          UNROLL for (int r = 0; r < $rows; r += 1) {
            sums[v][r] = ACCUMULATE_$lane(($V)(ofProduct[rowAt[r] + k]), w, sums[v][r]);
          }
        }
      }
      UNROLL for (int r = 0; r < $rows; r += 1) {
        if (block + r >= end) continue;
        UNROLL for (int v = 0; v < $vectors; v += 1) {
          const i64 unit = (block + r) * $size + at + v * WIDTH;
          STORE_$dtype(carried, unit, count, EXACT_$dtype(carried, unit, count) + sums[v][r]);
        }
      }
    }
  }
}
