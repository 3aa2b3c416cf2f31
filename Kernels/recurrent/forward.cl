// All times of $rows sequences, one group for them; its items share the elements of a state.
//
//   input   [times, batch, gates, size]      weight [size, gates, size]
//   result  [times, batch, size], the last states, what is kept: [times, batch, kept, size]
//
// Before each time the states of the one before are there for the whole group; other groups write next to them, so that
// they are read exactly. Sequences past the last repeat it and are not stored.
const i64 first = (i64)GROUP_ID() * $rows;
const i64 stateCount = $batch * $size;
GLOBAL $T *all = $result + $resultOffset;
GLOBAL $T *last = all + $times * stateCount;
GLOBAL $T *cells = last + stateCount;
for (i64 step = 0; step < $times; step += 1) {
  const i64 place = $isReversed ? $times - 1 - step : step;
  GLOBAL const $T *before = step == 0 ? $state + $stateOffset : all + (place + ($isReversed ? 1 : -1)) * stateCount;
  for (i64 at = LOCAL_ID() * WIDTH; at < $size; at += $localSize * WIDTH) {
    const int count = (int)SMALLER((i64)WIDTH, $size - at);
    $V sums[4][$rows];
    UNROLL for (int g = 0; g < $gates; g += 1) {
      UNROLL for (int r = 0; r < $rows; r += 1) sums[g][r] = ($V)(0);
    }
    i64 rowAt[$rows];
    UNROLL for (int r = 0; r < $rows; r += 1) rowAt[r] = SMALLER(first + r, $batch - 1) * $size;
    for (i64 k = 0; k < $size; k += 1) {
      UNROLL for (int g = 0; g < $gates; g += 1) {
        const $V w = LOAD_$dtype($weight, $weightOffset + (k * $gates + g) * $size + at, count);
        UNROLL for (int r = 0; r < $rows; r += 1) {
          sums[g][r] = ACCUMULATE_$lane(($V)(before[rowAt[r] + k]), w, sums[g][r]);
        }
      }
    }
    UNROLL for (int r = 0; r < $rows; r += 1) {
      if (first + r >= $batch) continue;
      const i64 row = place * $batch + first + r;
      const i64 unit = (first + r) * $size + at;
      const i64 x = $inputOffset + row * $gates * $size + at;
      const int held = $HELD;
      const $V old = EXACT_$dtype(before, rowAt[r] + at, count);
      $V h = old;
      $CELL
      STORE_$dtype(all, row * $size + at, count, h);
      if (step == $times - 1) STORE_$dtype(last, unit, count, h);
    }
  }
  GLOBAL_BARRIER();
}
