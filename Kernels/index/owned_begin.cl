// Begins the cascade (see reduce.def) of the sum with the index `at`: it has no terms, and no block of memory for its
// upper levels. owned_chain.cl explains the names.
//
// Parameters: $blocks, $counts.
$counts[at] = 0;
$blocks[at] = 0;
