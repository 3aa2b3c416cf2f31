// Distributes `gradient`, the gradients of the outputs of `count` pooling windows, in equal parts to the elements that
// each window averages. $DIVISOR computes `divisor`, the number of these elements: a constant, or divisor.cl. $WINDOWS
// is window.cl with gradient_tap.cl.
//
// Parameters: $DIVISOR, $T, $WINDOWS, $lane.
$DIVISOR
$T gradients[WIDTH];
VSTORE(row_divide_$lane(gradient, divisor), gradients);
$WINDOWS
