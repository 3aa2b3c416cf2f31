// The variant of pack_panel.cl for a row-major B: $lineStride is the stride of the rows. pack_panel.cl explains the
// other names.
//
// Parameters: $B, $T, $columns, $depth, $index, $lineStride, $rightDtype, $rightOffset, $terms, $vectors.
const $index until = SMALLER(end * $terms, $depth);
for ($index k = begin * $terms; k < until; k += 1) {
  $T *to = packed + (k - begin * $terms) * $vectors * WIDTH;
  UNROLL for (int v = 0; v < $vectors; v += 1) {
    // A vector that starts past the last column is loaded from the last column on, to stay inside the buffer.
    const $index column = SMALLER((panel * $vectors + v) * WIDTH, $columns - 1);
    VSTORE(LOAD_$rightDtype($B, $rightOffset + k * $lineStride + column, WIDTH), to + v * WIDTH);
  }
}
