// Compares `value`, the elements of the pooling windows for one tap (tap.cl), with `best`, the maxima of the earlier
// taps, and replaces maxima that are smaller. An element outside of the input is no maximum. $strideW is the distance
// between neighboring windows along the axis W; maxima.cl explains the names.
//
// Parameters: $lane, $strideW.
const VI take = valid & (TRUTH32(best_position < 0) | better_argmax_$lane(value, best));
best = CHOOSE_$lane(take, value, best);
best_position = CHOOSE_i32(take, (VI)((int)(inPlane + fromW)) + LANES_I * (VI)((int)$strideW), best_position);
