// Copies rows firstRow to lastRow - 1 of each phase of one image to `copy`. convolution/image.cl describes phases and
// the layout.
//
// Parameters: $COPY, $POSITIOND, $POSITIONH, $RANGE, $T, $image, $index, $insertD, $insertH, $lowD, $lowH, $offset,
// $phasesD, $phasesH, $readPhasesD, $readPhasesH, $readPhasesW, $rowsPerImage, $slack, $sourceD, $sourceH, $sourceW,
// $space, $targetD, $targetH, $targetW.
$index phase = 0;
for ($index phaseD = 0; phaseD < $readPhasesD; phaseD += 1) {
  for ($index phaseH = 0; phaseH < $readPhasesH; phaseH += 1) {
    for ($index phaseW = 0; phaseW < $readPhasesW; phaseW += 1, phase += 1) {
      $RANGE
      for ($index d = 0; d < $targetD; d += 1) {
        const $index sourceD = d * $phasesD + phaseD - $lowD;
        const $index positionD = $POSITIOND;
        for ($index h = firstRow; h < lastRow; h += 1) {
          const $index sourceH = h * $phasesH + phaseH - $lowH;
          const $index positionH = $POSITIONH;
          const int isInside = sourceD >= 0 && sourceH >= 0 && positionD * $insertD == sourceD &&
                               positionH * $insertH == sourceH && positionD < $sourceD && positionH < $sourceH;
          const $index from = $offset + (($image * $sourceD + positionD) * $sourceH + positionH) * $sourceW;
          const $index row = (phase * $targetD + d) * $targetH + h;
          $space $T *to = copy + row * $targetW;
          // The end of the elements to write: the last row of an image is followed by padding for loads of whole
          // registers.
          const $index clear = row + 1 == $rowsPerImage ? $targetW + $slack : $targetW;
          const $index last = isInside ? end : 0;
          $COPY
        }
      }
    }
  }
}
