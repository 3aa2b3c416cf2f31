// Begins a cascade of sums (see reduce.def) with $levels levels. `sum` is the lowest level; only end_chain.cl uses
// levels[0].
//
// Parameters: $V, $levels, $zero.
$V levels[$levels];
for (int k = 1; k < $levels; k += 1) levels[k] = $zero;
int terms = 0;
