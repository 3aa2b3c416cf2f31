// Counts one more term of the partial sum with the index `at`. After every $chain terms, adds the partial sum to the
// upper levels of its cascade (see reduce.def) and sets the partial sum to zero. The first time, allocates a block of
// memory for these levels. Unlike scan/carry.cl, reads and writes only levels that change, since partial sums and
// levels are in memory and not in registers. If the elements of a row share an index, a partial sum is a piece of row
// `to` of the result; otherwise, it is one element.
//
//   $counts, $blocks: for each partial sum, the number of its terms, and the number of its block, counted from 1, or 0
//   $upper: the memory of the blocks; $firstBlock: the index there of block 1 of this `outer` or this unit of work
//   $levels: the upper levels; $pitch: the distance between levels; $offset: the place of column c in a level
//   $from, $until: the range of columns of the partial sum; $inner: the columns of a row; $laneType: the type of `sums`
//
// Parameters: $V, $blocks, $chain, $counts, $firstBlock, $from, $inner, $lane, $laneType, $levels, $offset, $pitch,
// $until, $upper, $zero.
$counts[at] += 1;
if ($counts[at] % $chain == 0) {
  const int isNew = $blocks[at] == 0;
  if (isNew) {
    used += 1;
    $blocks[at] = used;
  }
  const i64 block = ($firstBlock + $blocks[at] - 1) * $levels * $pitch;
  for (i64 c = $from; c < $until; c += WIDTH) {
    const int some = (int)SMALLER($until - c, (i64)WIDTH);
    for (int k = 0; isNew && k < $levels; k += 1) STORE_$laneType($upper, block + $offset + k * $pitch, some, $zero);
    $V carry = EXACT_$laneType(sums, to * $inner + c, some);
    STORE_$laneType(sums, to * $inner + c, some, $zero);
    int chains = $counts[at];
    for (int k = 0; k < $levels && chains % $chain == 0; k += 1) {
      chains /= $chain;
      carry = row_add_$lane(EXACT_$laneType($upper, block + $offset + k * $pitch, some), carry);
      if (k + 1 < $levels && chains % $chain == 0) {
        STORE_$laneType($upper, block + $offset + k * $pitch, some, $zero);
      } else {
        STORE_$laneType($upper, block + $offset + k * $pitch, some, carry);
      }
    }
  }
}
