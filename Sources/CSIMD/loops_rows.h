// Copies of short rows of float32, for which a call of memcpy would take longer than the copy.

static void copy_rows(size_t rows, size_t count, const float *source, size_t source_stride, float *target,
                      size_t target_stride) {
  for (size_t row = 0; row < rows; row += 1, source += source_stride, target += target_stride) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
      VF x = LOAD(VF, source + i);
      STORE(VF, target + i, x);
    }
    if (i == count) continue;
    if (count >= LANES) {
      // The last 16, some of them once more.
      VF x = LOAD(VF, source + count - LANES);
      STORE(VF, target + count - LANES, x);
    } else {
      copy_part_4(target, source, count);
    }
  }
}
