// Adds the gradients of `count` averages to the elements of their pooling windows for one tap (window.cl). $ADD adds
// `gradients[lane]` to the gradient of the element at offset `inPlane + at` in the plane. $inputW is the extent of the
// input along the axis W, and $strideW is the distance between neighboring windows.
//
// Parameters: $ADD, $index, $inputW, $strideW.
for (int lane = 0; lane < count; lane += 1) {
  const $index at = fromW + lane * $strideW;
  if (at >= 0 && at < $inputW) $ADD
}
