// The parts of the rows of a matrix that a segment of terms needs.
const $index span = SMALLER($depth - segment * $terms, $terms);
UNROLL for (int m = 0; m < $tileRows; m += 1) {
  left[m] = $A + $leftOffset + SMALLER(first + m, $rows - 1) * $rowStride + segment * $terms * $kStride;
}
