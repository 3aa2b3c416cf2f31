// Counts one tap (window.cl) in the sizes of those pooling windows whose element is inside the input. $inputW is the
// extent of the input along the axis W, and $strideW is the distance between neighboring windows.
//
// Parameters: $index, $inputW, $strideW.
for (int lane = 0; lane < WIDTH; lane += 1) {
  const $index at = fromW + lane * $strideW;
  sizes[lane] += at >= 0 && at < $inputW;
}
