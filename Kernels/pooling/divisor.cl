// Computes `divisor`, the number of elements of each pooling window that are inside the input; 1 for windows without
// such elements. $WINDOWS is window.cl with size_tap.cl.
//
// Parameters: $V, $WINDOWS, $lane.
int sizes[WIDTH];
for (int lane = 0; lane < WIDTH; lane += 1) sizes[lane] = 0;
$WINDOWS
const VI size = VLOAD(sizes);
const $V divisor = CONVERT_i32_$lane(CHOOSE_i32(size, size, (VI)(1)));
