// Moves the sums of full levels of a cascade (see reduce.def) to the next levels. A level is full after $chain terms;
// the sum of these terms is then one term of the next level. `chains` is the number of terms that were added to the
// lowest level so far. ADD(a, b) is a macro of the including template; $levels is the number of levels.
//
// Parameters: $chain, $levels.
for (int k = 0; k + 1 < $levels && chains % $chain == 0; k += 1, chains /= $chain) {
  levels[k + 1] = ADD(levels[k + 1], levels[k]);
  levels[k] = 0;
}
