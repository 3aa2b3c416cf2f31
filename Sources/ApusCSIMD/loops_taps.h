// `pack_taps` copies the weights of convolutions from the stored layout `[result channel][source channel][tap]` to
// panels of result channels, one panel for each tap. `unpack_taps` adds partial sums of weight gradients, which are in
// panels, and stores the result in the stored layout. Columns are result channels, rows are source channels; csimd.h
// has the formulas.

// The largest number of weights of a result channel that are transposed at a time: 16 source channels of 3 × 3 taps.
#define TAPS_AT_ONCE 144

static void pack_taps(
    size_t columns, size_t width, size_t rows, size_t taps, const ptrdiff_t *offsets, const float *w, ptrdiff_t column,
    ptrdiff_t row, float *panel, size_t distance) {
  float lines[TAPS_AT_ONCE][2 * LANES];
  if ((size_t)row == taps && columns == width && taps <= TAPS_AT_ONCE) {
    // All taps are packed, so contiguous weights of each result channel are transposed together.
    for (size_t first = 0, most = TAPS_AT_ONCE / taps; first < rows; first += most) {
      size_t count = rows - first < most ? rows - first : most;
      transpose_4(count * taps, columns, w + (ptrdiff_t)first * row, column, lines, 2 * LANES);
      for (size_t r = 0; r < count; r += 1)
        for (size_t t = 0; t < taps; t += 1)
          memcpy(
              panel + t * distance + (first + r) * width, lines[r * taps + (size_t)offsets[t]], width * sizeof(float));
    }
    return;
  }
  for (size_t r = 0; r < rows; r += 1)
    for (size_t t = 0; t < taps; t += 1) {
      const float *from = w + (ptrdiff_t)r * row + offsets[t];
      float *to = panel + t * distance + r * width;
      for (size_t c = 0; c < columns; c += 1) to[c] = from[(ptrdiff_t)c * column];
      for (size_t c = columns; c < width; c += 1) to[c] = 0;
    }
}

static void unpack_taps(
    size_t columns, size_t rows, size_t taps, size_t parts, size_t part, const float *sums, size_t width, float *w) {
  for (size_t t = 0; t < taps; t += 1)
    for (size_t r = 0; r < rows; r += 1) {
      const float *from = sums + (t * rows + r) * width;
      float line[LANES];
      for (size_t c = 0; c < columns; c += 1) line[c] = from[c];
      for (size_t p = 1; p < parts; p += 1)
        for (size_t c = 0; c < columns; c += 1) line[c] += from[p * part + c];
      for (size_t c = 0; c < columns; c += 1) w[(c * rows + r) * taps + t] = line[c];
    }
}
#undef TAPS_AT_ONCE
