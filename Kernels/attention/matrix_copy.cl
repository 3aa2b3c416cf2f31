// Copies $extent rows of an operand, from number $from on, to local memory at $to. A row there has $chunks chunks of 16
// bytes; elements that do not exist are zeros. Chunks are permuted within a row, so that the 8 that LOAD_MATRIX reads
// at a time are in different banks: chunk c is at position `c ^ $phase`. $COPY copies the chunk of row `position` to
// `to`.
//
// Parameters: $COPY, $chunks, $extent, $from, $phase, $to, $unroll.
$unroll for (int piece = 0; piece < ($extent * $chunks + 127) / 128; piece += 1) {
  const int at = (lid + piece * 128) / $chunks;
  const int chunk = lid % $chunks;
  const int position = $from + at;
  u32 *const to = $to + (at * $chunks + (chunk ^ $phase)) * 4;
  $COPY
}
