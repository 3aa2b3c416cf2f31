// Copies images so that a convolution over them needs no bounds and no strides: converted to the lane of
// the arithmetic, with zeros around and between the elements, and taken apart by the remainders of the
// coordinates (the phases) when divided by the stride; phases that no tap reads are left out:
//
//   source [image, d, h, w]  →  target [image, phase, d', h', w'], `$imageStride` elements an image
//
// One work-item copies a band of rows of some images.
const $index band = GROUP_ID() % $bands;
const $index chunk = GROUP_ID() / $bands;
const $index stop = SMALLER((chunk + 1) * $imagesPerItem, $imageCount);
const $index lastRow = SMALLER((band + 1) * $rowsPerBand, $targetH);
for ($index image = chunk * $imagesPerItem; image < stop; image += 1) {
  $index phase = 0;
  for ($index phaseD = 0; phaseD < $readPhasesD; phaseD += 1) {
    for ($index phaseH = 0; phaseH < $readPhasesH; phaseH += 1) {
      for ($index phaseW = 0; phaseW < $readPhasesW; phaseW += 1, phase += 1) {
        $RANGE
        for ($index d = 0; d < $targetD; d += 1) {
          const $index sourceD = d * $phasesD + phaseD - $lowD;
          const $index placeD = $PLACED;
          for ($index h = band * $rowsPerBand; h < lastRow; h += 1) {
            const $index sourceH = h * $phasesH + phaseH - $lowH;
            const $index placeH = $PLACEH;
            const int isInside = sourceD >= 0 && sourceH >= 0 && placeD * $insertD == sourceD &&
                                 placeH * $insertH == sourceH && placeD < $sourceD && placeH < $sourceH;
            const $index from = $offset + ((image * $sourceD + placeD) * $sourceH + placeH) * $sourceW;
            const $index row = (phase * $targetD + d) * $targetH + h;
            GLOBAL $T *to = $target + image * $imageStride + row * $targetW;
            // How far to write: past the last row of an image there is room for whole registers.
            const $index clear = row + 1 == $rowsPerImage ? $targetW + $slack : $targetW;
            const $index last = isInside ? end : 0;
            $COPY
          }
        }
      }
    }
  }
}
