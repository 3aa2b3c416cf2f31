// The gradient of the input of a pooling, on a GPU, where a register has one lane (WIDTH is 1). A work-item computes
// one element of the gradient, `core`: for each window that contains the element, it loads the gradient of the window's
// output, and $WINDOWS adds the part of it that flows to the element. The surrounding code sets `plane`, `inputD`,
// `inputH` and `element`, the position of the element, and `own`, its index in the plane.
//
//   $WINDOWS: distributes `gradient` to the elements of the window (window.cl), and adds the part of `own` to `core`
//   $gradient, $gradientOffset: the gradient of the output, of type $dtype, and its offset
//   $outputD, …: the extents of the output along the axes D, H and W
//   $windowD, …, $strideD, …, $dilationD, …, $paddingD, …: see window.cl
//
// Parameters: $T, $V, $WINDOWS, $dilationD, $dilationH, $dilationW, $dtype, $gradient, $gradientOffset, $index,
// $outputD, $outputH, $outputW, $paddingD, $paddingH, $paddingW, $strideD, $strideH, $strideW, $windowD, $windowH,
// $windowW.
$T core = 0;
for ($index backD = 0; backD < $windowD; backD += 1) {
  const $index offD = inputD + $paddingD - backD * $dilationD;
  if (offD < 0 || offD % $strideD != 0 || offD / $strideD >= $outputD) continue;
  for ($index backH = 0; backH < $windowH; backH += 1) {
    const $index offH = inputH + $paddingH - backH * $dilationH;
    if (offH < 0 || offH % $strideH != 0 || offH / $strideH >= $outputH) continue;
    for ($index backW = 0; backW < $windowW; backW += 1) {
      const $index offW = element + $paddingW - backW * $dilationW;
      if (offW < 0 || offW % $strideW != 0 || offW / $strideW >= $outputW) continue;
      const $index d = offD / $strideD;
      const $index h = offH / $strideH;
      const $index column = offW / $strideW;
      const $V gradient = LOAD_$dtype($gradient, $gradientOffset + ((plane * $outputD + d) * $outputH + h) * $outputW + column, 1);
      $WINDOWS
    }
  }
}
