// Distributes `gradient`, the gradients of the outputs of `count` pooling windows, to the first maximum of each window.
// $MAXIMA is maxima.cl. $ADD adds `gradients[lane]` to the gradient of the element at offset `positions[lane]` in the
// plane.
//
// Parameters: $ADD, $MAXIMA, $T.
$MAXIMA
int positions[WIDTH];
$T gradients[WIDTH];
VSTORE(best_position, positions);
VSTORE(gradient, gradients);
for (int lane = 0; lane < count; lane += 1) {
  if (positions[lane] >= 0) $ADD
}
