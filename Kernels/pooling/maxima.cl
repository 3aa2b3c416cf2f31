// Finds the first maximum of each pooling window: its value, `best`, and its offset in the plane, `best_position`. The
// offset is -1 if all elements of the window are outside of the input. $WINDOWS is window.cl with maximum_tap.cl.
//
// Parameters: $V, $WINDOWS, $lane.
$V best = identity_max_$lane();
VI best_position = (VI)(-1);
$WINDOWS
