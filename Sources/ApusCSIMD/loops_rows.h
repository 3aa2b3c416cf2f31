// `copy_rows` copies float32 rows by inlined vector moves, without a call of memcpy for each short row. `stream` copies
// bytes with non-temporal stores.

#define COUNT_UP32 ((VI){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})

INLINE void copy_row(size_t count, const float *source, float *target) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    VF x = LOAD(VF, source + i);
    STORE(VF, target + i, x);
  }
  if (i == count) return;
  if (count >= LANES) {
    // Copy the last 16 elements; some of them were copied already.
    VF x = LOAD(VF, source + count - LANES);
    STORE(VF, target + count - LANES, x);
  } else {
    copy_part_4(target, source, count);
  }
}

static void stream(size_t count, const void *source, void *target) {
  const char *s = source;
  char *t = target;
  size_t lead = -(uintptr_t)t & 63;
  if (lead > count) lead = count;
  memcpy(t, s, lead);
  s += lead;
  t += lead;
  count -= lead;
  for (; count >= 64; count -= 64, s += 64, t += 64) {
    csimd_prefetch_ahead(s);
    VF x = LOAD(VF, s);
    STREAM(VF, t, x);
  }
  memcpy(t, s, count);
}

// Rows shorter than a vector are written as whole vectors, padded with zeros that the next row overwrites; up to
// 15 elements past the end of the source are read. Gaps between target rows may be overwritten with 0.
static void copy_rows(
    size_t rows, size_t count, const float *source, size_t source_stride, float *target, size_t target_stride) {
  if (source_stride == count && target_stride == count) {
    copy_row(rows * count, source, target);
    return;
  }
  size_t row = 0;
  if (count < LANES) {
    VI inside = COUNT_UP32 < (int32_t)count;
    for (; (rows - row - 1) * target_stride + count >= LANES && row + 1 < rows; row += 1) {
      VF x = LOAD(VF, source);
      STORE(VF, target, (inside ? x : (VF)(0.0f)));
      source += source_stride;
      target += target_stride;
    }
  }
  for (; row < rows; row += 1) {
    copy_row(count, source, target);
    source += source_stride;
    target += target_stride;
  }
}
