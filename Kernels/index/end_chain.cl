// `sum` is the lowest level of a cascade of sums (see reduce.def). Counts the term that was just added to `sum`; after
// every $chain terms, moves `sum` to the upper levels. $CARRY is scan/carry.cl.
//
// Parameters: $CARRY, $chain, $lane.
terms += 1;
if (terms % $chain == 0) {
#define ADD(a, b) row_add_$lane(a, b)
  levels[0] = sum;
  int chains = terms;
  $CARRY
  sum = levels[0];
#undef ADD
}
