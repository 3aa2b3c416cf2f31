// Copies images so that a convolution over them needs no bounds and no strides: converted to the lane of
// the arithmetic, with zeros around and between the elements, and taken apart by the remainders of the
// coordinates (the phases) when divided by the stride:
//
//   source [image, d, h, w]  →  target [image, phase, d', h', w'], `$imageStride` elements an image
//
// One work-item copies some rows.
$index row = GROUP_ID() * $rowsPerItem;
const $index end = SMALLER(row + $rowsPerItem, $rowCount);
for (; row < end; row += 1) {
  $index rest = row;
  const $index h = rest % $targetH;
  rest = rest / $targetH;
  const $index d = rest % $targetD;
  rest = rest / $targetD;
  const $index phaseW = rest % $phasesW;
  rest = rest / $phasesW;
  const $index phaseH = rest % $phasesH;
  rest = rest / $phasesH;
  const $index phaseD = rest % $phasesD;
  const $index image = rest / $phasesD;
  GLOBAL $T *to = $target + image * $imageStride + (row - image * $rowsPerImage) * $targetW;
  // How far to clear: past the last row of an image there is room for whole registers.
  const $index clear = row + 1 == (image + 1) * $rowsPerImage ? $targetW + $slack : $targetW;
  const $index sourceD = d * $phasesD + phaseD - $lowD;
  const $index sourceH = h * $phasesH + phaseH - $lowH;
  const $index placeD = sourceD / $insertD;
  const $index placeH = sourceH / $insertH;
  const int isInside = sourceD >= 0 && sourceH >= 0 && placeD * $insertD == sourceD && placeH * $insertH == sourceH &&
                       placeD < $sourceD && placeH < $sourceH;
  const $index from = $offset + ((image * $sourceD + placeD) * $sourceH + placeH) * $sourceW;
  $COPY
}
