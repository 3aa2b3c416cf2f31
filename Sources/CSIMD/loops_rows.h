// Copies of short rows of float32, for which a call of memcpy would take longer than the copy.

#define COUNT_UP32 ((VI){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})

INLINE void copy_row(size_t count, const float *source, float *target) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    VF x = LOAD(VF, source + i);
    STORE(VF, target + i, x);
  }
  if (i == count) return;
  if (count >= LANES) {
    // The last 16, some of them once more.
    VF x = LOAD(VF, source + count - LANES);
    STORE(VF, target + count - LANES, x);
  } else {
    copy_part_4(target, source, count);
  }
}

// Rows shorter than a vector are written as one, with zeros behind them that the next row overwrites; up to
// 15 numbers behind the source are read. What lies between the rows of the target may become 0.
static void copy_rows(size_t rows, size_t count, const float *source, size_t source_stride, float *target,
                      size_t target_stride) {
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

// ---- Transposition

typedef uint32_t row8 __attribute__((ext_vector_type(8), aligned(4), may_alias));

#define SHUFFLE8 __builtin_shufflevector

// The transpose of 8 × 8 words: pairs are exchanged at distances 1, 2 and 4.
INLINE void transpose8(const uint32_t *source, ptrdiff_t source_stride, uint32_t *target, ptrdiff_t target_stride) {
  row8 a[8], b[8];
  for (int i = 0; i < 8; i += 1) a[i] = *(const row8 *)(source + i * source_stride);
  for (int i = 0; i < 8; i += 2) {
    b[i] = SHUFFLE8(a[i], a[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    b[i + 1] = SHUFFLE8(a[i], a[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (int i = 0; i < 8; i += 4)
    for (int k = i; k < i + 2; k += 1) {
      a[k] = SHUFFLE8(b[k], b[k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      a[k + 2] = SHUFFLE8(b[k], b[k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (int i = 0; i < 4; i += 1) {
    *(row8 *)(target + i * target_stride) = SHUFFLE8(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    *(row8 *)(target + (i + 4) * target_stride) = SHUFFLE8(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

#define TRANSPOSE_PART(name, S)                                                                  \
  INLINE void name(size_t rows, size_t columns, const S *source, ptrdiff_t source_stride,        \
                   S *target, ptrdiff_t target_stride) {                                         \
    for (size_t r = 0; r < rows; r += 1)                                                         \
      for (size_t c = 0; c < columns; c += 1)                                                    \
        target[(ptrdiff_t)r * target_stride + (ptrdiff_t)c] =                                    \
            source[(ptrdiff_t)c * source_stride + (ptrdiff_t)r];                                 \
  }
TRANSPOSE_PART(transpose_part_1, uint8_t)
TRANSPOSE_PART(transpose_part_2, uint16_t)
TRANSPOSE_PART(transpose_part_4, uint32_t)
TRANSPOSE_PART(transpose_part_8, uint64_t)

// Tiles of 16 × 16 numbers: a tile's lines of both arrays fit a first-level cache.
#define TRANSPOSE(name, S, tile)                                                                 \
  static void name(size_t rows, size_t columns, const void *source, ptrdiff_t source_stride,     \
                   void *target, ptrdiff_t target_stride) {                                      \
    const S *s = source;                                                                         \
    S *t = target;                                                                               \
    for (size_t r = 0; r < rows; r += 16)                                                        \
      for (size_t c = 0; c < columns; c += 16) {                                                 \
        size_t height = rows - r < 16 ? rows - r : 16, width = columns - c < 16 ? columns - c : 16; \
        const S *from = s + (ptrdiff_t)c * source_stride + (ptrdiff_t)r;                         \
        S *to = t + (ptrdiff_t)r * target_stride + (ptrdiff_t)c;                                 \
        tile                                                                                     \
      }                                                                                          \
  }
#define SCALAR_TILE(part) part(height, width, from, source_stride, to, target_stride);
#define WORD_TILE                                                                                \
  if (height == 16 && width == 16) {                                                             \
    transpose8(from, source_stride, to, target_stride);                                          \
    transpose8(from + 8 * source_stride, source_stride, to + 8, target_stride);                  \
    transpose8(from + 8, source_stride, to + 8 * target_stride, target_stride);                  \
    transpose8(from + 8 * source_stride + 8, source_stride, to + 8 * target_stride + 8, target_stride); \
  } else {                                                                                       \
    SCALAR_TILE(transpose_part_4)                                                                \
  }
TRANSPOSE(transpose_1, uint8_t, SCALAR_TILE(transpose_part_1))
TRANSPOSE(transpose_2, uint16_t, SCALAR_TILE(transpose_part_2))
TRANSPOSE(transpose_4, uint32_t, WORD_TILE)
TRANSPOSE(transpose_8, uint64_t, SCALAR_TILE(transpose_part_8))
#undef TRANSPOSE
#undef SCALAR_TILE
#undef WORD_TILE
