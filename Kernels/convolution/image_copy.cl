// Copies rows firstRow to lastRow - 1 of each phase of one image to `copy`. convolution/image.cl describes phases and
// the layout. In these placeholders, D, H or W at the end is the axis:
//
//   $sourceD, …: the extent of the source; $targetD, …: the extent of a phase
//   $phasesD, …: the number of phases; $readPhasesD, …: the number of phases that are copied, from phase 0 on
//   $insertD, …: the distance at which neighboring elements of the source are stored, with zeros in between
//   $lowD, …: the number of zeros before the first element; if it is negative, elements at the start are left out
//   $POSITIOND, …: the index of the source element whose coordinate, with the zeros in between, is `sourceD`
//
// The other placeholders:
//
//   $image, $offset: the index of the image, and the offset of image 0 in the array of the source
//   $rowsPerImage: the rows of all phases; $slack: the number of elements of padding after the last row
//   $space: the address space of `copy`: GLOBAL, or empty for private memory
//   $RANGE: sets `first` and `end`, the range of a row that comes from the source: indices of the target or, if zeros
//       are inserted between elements, of the source. In the first case, also sets `shift`: element t of the target is
//       element t · $phasesW - `shift` of the source.
//   $COPY: writes the row to `to`: the elements of the source row at offset `from` that the range `first` to `last` - 1
//       selects, and zeros in the other places before `clear`
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
          // The number of elements to write. In the last row of an image, it includes the padding after the image,
          // which makes loads of whole registers safe.
          const $index clear = row + 1 == $rowsPerImage ? $targetW + $slack : $targetW;
          const $index last = isInside ? end : 0;
          $COPY
        }
      }
    }
  }
}
