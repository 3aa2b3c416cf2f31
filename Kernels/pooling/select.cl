// Computes `core`: for each pooling window, the element of another array at the position of the window's first maximum,
// or 0 if all elements of the window are outside of the input.
//
//   $MAXIMA: maxima.cl
//   $chosen, $chosenOffset: the array, of type $dtype, and its offset; $inputVolume: the elements of a plane of it
//
// Parameters: $MAXIMA, $T, $V, $chosen, $chosenOffset, $dtype, $inputVolume, $lane.
$MAXIMA
int positions[WIDTH];
$T cores[WIDTH];
VSTORE(best_position, positions);
for (int lane = 0; lane < WIDTH; lane += 1) {
  cores[lane] = lane < count && positions[lane] >= 0 ? FIRST_$lane(SPLAT_$dtype($chosen, $chosenOffset + plane * $inputVolume + positions[lane])) : ($T)0;
}
const $V core = VLOAD(cores);
