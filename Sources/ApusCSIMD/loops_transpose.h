// Transposition of matrices with elements of 1, 2, 4 or 8 bytes.

#include "transpose_block.h"

// Transposes TRANSPOSE_WIDTH × TRANSPOSE_WIDTH words of 32 bits, like `transpose_block` but without its prefetches. The
// row stride of the source is `stride`, the row stride of the target `step`.
INLINE void transpose_piece(const float *source, ptrdiff_t stride, float *target, ptrdiff_t step) {
  transposed_row a[TRANSPOSE_WIDTH];
  TRANSPOSE_LOOP for (int r = 0; r < TRANSPOSE_WIDTH; r += 1) a[r] = LOAD(transposed_row, source + r * stride);
  transpose_registers(a);
  TRANSPOSE_LOOP for (int r = 0; r < TRANSPOSE_WIDTH; r += 1) STORE(transposed_row, target + r * step, a[r]);
}

// Defines `name`, which transposes a block of any size, element by element. `WORD` is the unsigned integer that has the
// size of an element.
#define TRANSPOSE_PART(name, WORD)                                                                                 \
  typedef WORD name##_word __attribute__((may_alias));                                                             \
  INLINE void name(                                                                                                \
      size_t rows, size_t columns, const name##_word *source, ptrdiff_t source_stride, name##_word *target,        \
      ptrdiff_t target_stride) {                                                                                   \
    for (size_t r = 0; r < rows; r += 1)                                                                           \
      for (size_t c = 0; c < columns; c += 1)                                                                      \
        target[(ptrdiff_t)r * target_stride + (ptrdiff_t)c] = source[(ptrdiff_t)c * source_stride + (ptrdiff_t)r]; \
  }
TRANSPOSE_PART(transpose_part_1, uint8_t)
TRANSPOSE_PART(transpose_part_2, uint16_t)
TRANSPOSE_PART(transpose_part_4, uint32_t)
TRANSPOSE_PART(transpose_part_8, uint64_t)

#if defined(CSIMD_HAS_AVX512)
// Transposes a partial block at the edge of a matrix.
INLINE void transpose_masked(
    size_t height, size_t width, const float *source, ptrdiff_t stride, float *target, ptrdiff_t step) {
  const __mmask16 rows = (__mmask16)((1u << height) - 1), columns = (__mmask16)((1u << width) - 1);
  transposed_row a[TRANSPOSE_WIDTH];
  TRANSPOSE_LOOP for (size_t r = 0; r < TRANSPOSE_WIDTH; r += 1) a[r] =
      r < width ? (transposed_row)_mm512_maskz_loadu_ps(rows, source + (ptrdiff_t)r * stride) : (transposed_row)(0);
  transpose_registers(a);
  TRANSPOSE_LOOP for (size_t r = 0; r < TRANSPOSE_WIDTH; r += 1) if (r < height)
      _mm512_mask_storeu_ps(target + (ptrdiff_t)r * step, columns, (__m512)a[r]);
}
#endif

// Transposes at most 16 rows of at most 16 words.
INLINE void transpose_tile(
    size_t height, size_t width, const float *source, ptrdiff_t stride, float *target, ptrdiff_t step) {
  if (height == 16 && width == 16) {
    for (int i = 0; i < 16; i += TRANSPOSE_WIDTH)
      for (int j = 0; j < 16; j += TRANSPOSE_WIDTH)
        transpose_piece(source + j * stride + i, stride, target + i * step + j, step);
    return;
  }
#if defined(CSIMD_HAS_AVX512)
  if (height * width >= 32) {
    transpose_masked(height, width, source, stride, target, step);
    return;
  }
#endif
  transpose_part_4(height, width, (const uint32_t *)source, stride, (uint32_t *)target, step);
}

// Transposes large matrices with non-temporal stores, for targets whose rows start at cache-line boundaries. A block is
// transposed into `scratch` while the previous block, also in `scratch`, is written row by row. Direct reads and writes
// of short pieces of rows would reach only half of the memory bandwidth. The next rows of the source are prefetched,
// row by row, into the L1 cache.
#define STREAM_COLUMNS 64
#define STREAM_ROWS 512
#define STREAM_LENGTH (STREAM_COLUMNS + 16)
_Static_assert(CSIMD_TRANSPOSE_SCRATCH == 2 * STREAM_ROWS * STREAM_LENGTH * sizeof(float), "scratch of two blocks");

/// A transposed block, and the position that is written next.
typedef struct {
  const float *scratch;
  float *target;
  size_t rows, columns, row, column;
} written_block;

INLINE void write_lines(written_block *block, ptrdiff_t step, size_t count) {
  for (; count > 0 && block->row < block->rows; count -= 1) {
    const float *from = block->scratch + block->row * STREAM_LENGTH + block->column;
    float *to = block->target + (ptrdiff_t)block->row * step + block->column;
    size_t rest = block->columns - block->column;
    for (size_t c = 0; rest >= 16 && c < 16; c += TRANSPOSE_WIDTH)
      __builtin_nontemporal_store(*(const transposed_row *)(from + c), (transposed_row *)(to + c));
    for (size_t c = 0; rest < 16 && c < rest; c += 1) to[c] = from[c];
    block->column += 16;
    if (block->column < block->columns) continue;
    block->column = 0;
    block->row += 1;
  }
}

static void transpose_streamed(
    size_t rows, size_t columns, const float *source, ptrdiff_t stride, float *target, ptrdiff_t step, void *scratch) {
  if (rows == 0) return;
  size_t blocks = CEIL_DIVIDE(rows, STREAM_ROWS), most = CEIL_DIVIDE(CEIL_DIVIDE(rows, blocks), 16) * 16;
  float *own = scratch, *other = own + STREAM_ROWS * STREAM_LENGTH;
  written_block last = {0};
  for (size_t strip = 0; strip < columns; strip += STREAM_COLUMNS) {
    size_t width = columns - strip < STREAM_COLUMNS ? columns - strip : STREAM_COLUMNS;
    for (size_t top = 0; top < rows; top += most) {
      size_t height = rows - top < most ? rows - top : most;
      for (size_t c = 0; c < width; c += 16) {
        // Prefetch the next 16 rows of the source: for this block, the block below it, or the next strip of columns.
        size_t left = strip + c + 16, first = top;
        if (c + 16 >= width) {
          first = top + height < rows ? top + height : 0;
          left = first ? strip : strip + width;
        }
        prefetch_cursor next = {{source + (ptrdiff_t)left * stride + first, stride * 4, 0, 0}, 0};
        next.rest.length = (rows - first < most ? rows - first : most) * 4;
        next.rest.count = left >= columns ? 0 : columns - left < 16 ? columns - left : 16;
        for (size_t r = 0; r < height; r += 16) {
          for (int line = 0; line < 16; line += 1) prefetch_line(&next);
          transpose_tile(
              height - r < 16 ? height - r : 16, width - c < 16 ? width - c : 16,
              source + (ptrdiff_t)(strip + c) * stride + top + r, stride, own + r * STREAM_LENGTH + c, STREAM_LENGTH);
          write_lines(&last, step, 16);
        }
      }
      write_lines(&last, step, SIZE_MAX);
      last = (written_block){own, target + (ptrdiff_t)top * step + strip, height, width, 0, 0};
      float *swap = own;
      own = other;
      other = swap;
    }
  }
  write_lines(&last, step, SIZE_MAX);
  csimd_fence();
}
#undef STREAM_COLUMNS
#undef STREAM_ROWS
#undef STREAM_LENGTH

// Transposes strips of 64 columns of the target, each from the first row to the last. A strip reads 64 rows of the
// source sequentially and writes whole cache lines of the target once. If the outer loop ran over rows of the target,
// each iteration would read short pieces of all rows of the source. At power-of-two strides, these pieces evict each
// other from the cache, so the next iteration would fetch the same cache lines again.
#define TRANSPOSE_STRIP 64
#define TRANSPOSE(name, S, tile)                                                                    \
  static void name(                                                                                 \
      size_t rows, size_t columns, const void *source, ptrdiff_t source_stride, void *target,       \
      ptrdiff_t target_stride) {                                                                    \
    for (size_t strip = 0; strip < columns; strip += TRANSPOSE_STRIP) {                             \
      size_t end = columns - strip < TRANSPOSE_STRIP ? columns : strip + TRANSPOSE_STRIP;           \
      for (size_t top = 0; top < rows; top += TRANSPOSE_STRIP) {                                    \
        size_t bottom = rows - top < TRANSPOSE_STRIP ? rows : top + TRANSPOSE_STRIP;                \
        for (size_t c = strip; c < end; c += 16)                                                    \
          for (size_t r = top; r < bottom; r += 16) {                                               \
            size_t height = bottom - r < 16 ? bottom - r : 16, width = end - c < 16 ? end - c : 16; \
            const S *from = (const S *)source + (ptrdiff_t)c * source_stride + (ptrdiff_t)r;        \
            S *to = (S *)target + (ptrdiff_t)r * target_stride + (ptrdiff_t)c;                      \
            tile(height, width, from, source_stride, to, target_stride);                            \
          }                                                                                         \
      }                                                                                             \
    }                                                                                               \
  }
TRANSPOSE(transpose_1, uint8_t, transpose_part_1)
TRANSPOSE(transpose_2, uint16_t, transpose_part_2)
TRANSPOSE(transpose_4, float, transpose_tile)
TRANSPOSE(transpose_8, uint64_t, transpose_part_8)
#undef TRANSPOSE
#undef TRANSPOSE_STRIP
#undef TRANSPOSE_LOOP
