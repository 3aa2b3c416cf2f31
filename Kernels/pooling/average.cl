// Computes `core`, the average of each pooling window. $WINDOWS is window.cl with average_tap.cl. $DIVISOR computes
// `divisor`, the number of elements that each window averages: a constant, or divisor.cl.
//
// Parameters: $DIVISOR, $V, $WINDOWS, $lane, $zero.
$V total = $zero;
$WINDOWS
$DIVISOR
const $V core = row_divide_$lane(total, divisor);
