// A tap is a position in a pooling window. Each of `count` neighboring outputs has a window and a lane of `value`. For
// one tap, loads the element of each window into the lane, and sets `valid` to 1 in the lanes whose element is inside
// the input, else to 0. Then $USE reads `value` and `valid`.
//
//   $source, $sourceOffset: the input, of type $dtype, and its offset; $inputVolume: the elements of a plane of it
//   $inputW, $strideW: see window.cl; $isInside: 1 if all elements are inside the input along axis W, else 0
//   $READ, $apart: the load of elements that are $strideW apart: LOAD, EVEN, or GATHER with the argument `$strideW,`
//
// Parameters: $READ, $T, $USE, $V, $apart, $dtype, $index, $inputVolume, $inputW, $isInside, $lane, $source,
// $sourceOffset, $strideW.
$V value;
VI valid = (VI)(1);
if ($isInside || (fromW >= 0 && fromW + (count - 1) * $strideW < $inputW)) {
  const $index at = $sourceOffset + plane * $inputVolume + inPlane + fromW;
  value = $READ_$dtype($source, at, $apart count);
} else {
  $T values[WIDTH];
  int inside[WIDTH];
  NO_UNROLL for (int lane = 0; lane < WIDTH; lane += 1) {
    const $index at = fromW + lane * $strideW;
    inside[lane] = lane < count && at >= 0 && at < $inputW;
    values[lane] = inside[lane] ? FIRST_$lane(SPLAT_$dtype($source, $sourceOffset + plane * $inputVolume + inPlane + at)) : ($T)0;
  }
  value = VLOAD(values);
  valid = VLOAD(inside);
}
$USE
