// Stores $total, the sums of each warp's 16 rows of $length elements, in the result. Row r of head or group `line`
// begins at `$start + (line · $count + r) · $length`. Rows from $count on do not exist and are not stored. $VALUE is
// the value to store, computed from `sum`, an element of row `row + h * 8`.
//
// Parameters: $VALUE, $count, $length, $result, $start, $steps, $total.
UNROLL for (int h = 0; h < 2; h += 1) {
  if (row + h * 8 >= $count) continue;
  const i64 to = $start + (line * $count + row + h * 8) * $length;
  UNROLL for (int j = 0; j < $steps * 2; j += 1) {
    UNROLL for (int q = 0; q < 2; q += 1) {
      const int column = j * 8 + lane % 4 * 2 + q;
      const float sum = $total[j][h * 2 + q];
      if (column < $length) $result[to + column] = $VALUE;
    }
  }
}
