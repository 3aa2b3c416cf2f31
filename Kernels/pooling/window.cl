// Iterates over the taps (positions) of the pooling windows of `count` neighboring outputs, one output per lane. The
// first output is at `column` of the row (d, h) of `plane`, one channel of one example. $TAP processes one tap of all
// windows: the tap of the first window is element `fromW` of the input row that begins at offset `inPlane` of the
// plane. The code skips taps at depths or rows outside of the input; $TAP checks `fromW`.
//
//   $inputD, …: the extents of the input along the axes D, H and W
//   $windowD, …: the number of taps along each axis
//   $strideD, …: the distance between neighboring windows; $dilationD, …: the distance between neighboring taps
//   $paddingD, …: how many positions before the input the first window begins
//
// Parameters: $TAP, $dilationD, $dilationH, $dilationW, $index, $inputD, $inputH, $inputW, $paddingD, $paddingH,
// $paddingW, $strideD, $strideH, $strideW, $windowD, $windowH, $windowW.
for ($index tapD = 0; tapD < $windowD; tapD += 1) {
  const $index fromD = d * $strideD + tapD * $dilationD - $paddingD;
  if (fromD < 0 || fromD >= $inputD) continue;
  for ($index tapH = 0; tapH < $windowH; tapH += 1) {
    const $index fromH = h * $strideH + tapH * $dilationH - $paddingH;
    if (fromH < 0 || fromH >= $inputH) continue;
    const $index inPlane = (fromD * $inputH + fromH) * $inputW;
    for ($index tapW = 0; tapW < $windowW; tapW += 1) {
      const $index fromW = column * $strideW + tapW * $dilationW - $paddingW;
      $TAP
    }
  }
}
