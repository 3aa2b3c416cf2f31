// One work-group computes all time steps of $rowsPerGroup sequences. Each of its work-items computes some elements of
// the states.
//
//   input   [times, batch, gates, size]      weight [size, gates, size]
//   result  states [times, batch, size], the last states [states, batch, size] and, if the backward pass needs them,
//           gates and other values [times, batch, kept, size], where states is 2 for an LSTM (h and c) and otherwise 1,
//           and kept is 4 for a GRU and 5 for an LSTM
//
// A barrier ends each time step, so that the group has written all its states before the next step reads them. Other
// groups write adjacent elements at the same time, so loads of states must not read more elements than they need
// (`EXACT`). $rows sequences share a load of the weights. The kernel multiplies the previous state by the weights of
// $gatesAtOnce gates at a time: of all gates or, if their sums do not fit the registers, of one gate in each iteration
// of a loop that is not unrolled. If fewer than $rows sequences remain, the last sequence takes the place of the
// missing ones, and is stored only once.
//
//   $PARTS: the head of the loop over the gates, or a declaration of `part`; `part` is the first gate of an iteration
//   $times, $batch, $gates, $size: the extents above; $localSize: the work-items of a group
//   $isReversed: 1 if time steps go from the last position of a sequence to the first, else 0
//   $CELL: forward_plain.cl, forward_gru.cl or forward_lstm.cl, computes `h`, the new state, from the products in
//       `sums`
//   $VALID: whether a time step of a sequence changes the state: the value of the mask, or 1
//   $WEIGHT: loads a register of weights: for gate `part + g` and the elements from `at` on, in row `k`
//   $input, $state, $result: the input, the initial states and the result, of type $dtype, at the offsets $inputOffset,
//       $stateOffset and $resultOffset
//
// Parameters: $CELL, $PARTS, $T, $V, $VALID, $WEIGHT, $batch, $dtype, $gates, $gatesAtOnce, $input, $inputOffset,
// $isReversed, $lane, $localSize, $result, $resultOffset, $rows, $rowsPerGroup, $size, $state, $stateOffset, $times.
const i64 first = (i64)GROUP_ID() * $rowsPerGroup;
const i64 end = SMALLER(first + $rowsPerGroup, (i64)$batch);
const i64 stateCount = $batch * $size;
GLOBAL $T *all = $result + $resultOffset;
GLOBAL $T *last = all + $times * stateCount;
GLOBAL $T *cells = last + stateCount;
for (i64 step = 0; step < $times; step += 1) {
  const i64 position = $isReversed ? $times - 1 - step : step;
  GLOBAL const $T *before = step == 0 ? $state + $stateOffset : all + (position + ($isReversed ? 1 : -1)) * stateCount;
  for (i64 at = LOCAL_ID() * WIDTH; at < $size; at += $localSize * WIDTH) {
    const int count = (int)SMALLER((i64)WIDTH, $size - at);
    for (i64 block = first; block < end; block += $rows) {
      $V sums[4][$rows];
      i64 rowAt[$rows];
      UNROLL for (int r = 0; r < $rows; r += 1) rowAt[r] = SMALLER(block + r, $batch - 1) * $size;
      // The cells read one cache line of the input (two for float64) per gate and sequence. The lines are too far apart
      // for the hardware prefetcher.
      UNROLL for (int r = 0; r < $rows; r += 1) {
        UNROLL for (int g = 0; g < $gates; g += 1) {
          PREFETCH($input + $inputOffset + (position * stateCount + rowAt[r]) * $gates + g * $size + at);
        }
      }
      $PARTS {
        $V own[$gatesAtOnce][$rows];
        UNROLL for (int g = 0; g < $gatesAtOnce; g += 1) {
          UNROLL for (int r = 0; r < $rows; r += 1) own[g][r] = ($V)(0);
        }
        for (i64 k = 0; k < $size; k += 1) {
          UNROLL for (int g = 0; g < $gatesAtOnce; g += 1) {
            const $V w = $WEIGHT;
            UNROLL for (int r = 0; r < $rows; r += 1) {
              own[g][r] = ACCUMULATE_$lane(($V)(before[rowAt[r] + k]), w, own[g][r]);
            }
          }
        }
        UNROLL for (int g = 0; g < $gatesAtOnce; g += 1) {
          UNROLL for (int r = 0; r < $rows; r += 1) sums[part + g][r] = own[g][r];
        }
      }
      UNROLL for (int r = 0; r < $rows; r += 1) {
        if (block + r >= end) continue;
        const i64 row = position * $batch + block + r;
        const i64 unit = (block + r) * $size + at;
        const i64 x = $inputOffset + row * $gates * $size + at;
        const int valid = $VALID;
        const $V old = EXACT_$dtype(before, rowAt[r] + at, count);
        $V h = old;
        $CELL
        STORE_$dtype(all, row * $size + at, count, h);
        if (step == $times - 1) STORE_$dtype(last, unit, count, h);
      }
    }
  }
  GLOBAL_BARRIER();
}
