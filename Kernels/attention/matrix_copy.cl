// Copies rows $from to $from + $extent - 1 of an operand to local memory at $to. There, a row has $chunks chunks of 16
// bytes; elements that the operand does not have are zeros. The chunks of a row are swizzled: chunk c is stored at
// position `c ^ $phase`, so that the 8 chunks of a matrix that LOAD_MATRIX (ldmatrix) loads are in different banks.
// $COPY copies chunk `chunk` of row `position` of the operand to `to`, for row `at` of the copy.
//
// Parameters: $COPY, $chunks, $extent, $from, $phase, $to, $unroll.
$unroll for (int piece = 0; piece < ($extent * $chunks + 127) / 128; piece += 1) {
  const int at = (lid + piece * 128) / $chunks;
  const int chunk = lid % $chunks;
  const int position = $from + at;
  u32 *const to = $to + (at * $chunks + (chunk ^ $phase)) * 4;
  $COPY
}
