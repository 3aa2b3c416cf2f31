// The weights of convolutions with channels last: between `[result channel][source channel][tap]`, as they come, and
// panels of result channels.

static void pack_taps(
    size_t columns, size_t width, size_t rows, size_t taps, const ptrdiff_t *places, const float *w, ptrdiff_t column,
    ptrdiff_t row, float *panel, size_t distance) {
  for (size_t r = 0; r < rows; r += 1)
    for (size_t t = 0; t < taps; t += 1) {
      const float *from = w + (ptrdiff_t)r * row + places[t];
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
