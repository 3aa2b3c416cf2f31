// Ends the cascade (see reduce.def) of the sum with the index `at`: if owned_chain.cl allocated a block of memory for
// the upper levels of the cascade, adds these levels to the sum in memory. owned_chain.cl explains the names.
//
// Parameters: $V, $blocks, $firstBlock, $from, $inner, $lane, $laneType, $levels, $offset, $pitch, $until, $upper.
if ($blocks[at] > 0) {
  const i64 block = ($firstBlock + $blocks[at] - 1) * $levels * $pitch;
  for (i64 c = $from; c < $until; c += WIDTH) {
    const int some = (int)SMALLER($until - c, (i64)WIDTH);
    $V sum = EXACT_$laneType(sums, to * $inner + c, some);
    for (int k = 0; k < $levels; k += 1) {
      sum = row_add_$lane(EXACT_$laneType($upper, block + $offset + k * $pitch, some), sum);
    }
    STORE_$laneType(sums, to * $inner + c, some, sum);
  }
}
