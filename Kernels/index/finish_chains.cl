// Ends a cascade of sums (see begin_chains.cl): adds its upper levels to `sum`.
//
// Parameters: $lane, $levels.
for (int k = 1; k < $levels; k += 1) sum = row_add_$lane(levels[k], sum);
