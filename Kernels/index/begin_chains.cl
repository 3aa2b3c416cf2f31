// Begins a cascade of sums (see reduce.def) with $levels levels, of which `sum` is the lowest one. Level 0 of the array
// is in use only while end_chain.cl runs.
//
// Parameters: $V, $levels, $zero.
$V levels[$levels];
for (int k = 1; k < $levels; k += 1) levels[k] = $zero;
int terms = 0;
