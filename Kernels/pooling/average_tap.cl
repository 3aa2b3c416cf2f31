// Adds `value`, the elements of the pooling windows for one tap (tap.cl), to `total`; elements outside of the input
// count as 0.
//
// Parameters: $lane, $zero.
total = row_add_$lane(total, CHOOSE_$lane(valid, value, $zero));
