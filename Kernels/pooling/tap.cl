$V value;
VI held;
if (fromW >= 0 && fromW + (count - 1) * $strideW < $inputW) {
  value = GATHER_$dtype($source, $sourceOffset + plane * $inputVolume + inPlane + fromW, $strideW, count);
  held = (VI)(1);
} else {
  $T values[WIDTH];
  int inside[WIDTH];
  for (int lane = 0; lane < WIDTH; lane += 1) {
    const $index at = fromW + lane * $strideW;
    inside[lane] = lane < count && at >= 0 && at < $inputW;
    values[lane] = inside[lane] ? FIRST_$lane(SPLAT_$dtype($source, $sourceOffset + plane * $inputVolume + inPlane + at)) : ($T)0;
  }
  value = VLOAD(values);
  held = VLOAD(inside);
}
$USE
