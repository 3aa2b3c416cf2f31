#include <string.h>

#include "windows.h"

// Calls `body` for each tap (a channel and a kernel position) and each row of results. In `body`, `line` is the index
// of the tap, `row` the index of the row, and `part` the span of results for which the tap reads a pixel inside the
// image. `row_at` is the offset in the image of the row of pixels that the tap reads, or −1 if that row is outside of
// the image.
#define FOR_EACH_ROW(w, body)                                                                         \
  ptrdiff_t line = 0;                                                                                 \
  const ptrdiff_t next_place = w->stride[1] * w->input[2];                                            \
  for (ptrdiff_t c = 0; c < w->channels; c += 1)                                                      \
    for (ptrdiff_t kz = 0; kz < w->kernel[0]; kz += 1)                                                \
      for (ptrdiff_t ky = 0; ky < w->kernel[1]; ky += 1)                                              \
        for (ptrdiff_t kx = 0; kx < w->kernel[2]; kx += 1, line += 1) {                               \
          const csimd_span part = csimd_span_of(w, 2, kx), rows = csimd_span_of(w, 1, ky);            \
          ptrdiff_t plane = first_row / w->output[1], rest = first_row % w->output[1];                \
          for (ptrdiff_t row = first_row; row < last_row; plane += 1, rest = 0) {                     \
            ptrdiff_t z, y = csimd_pixel_of(w, 1, rest, ky);                                          \
            int is_inside = csimd_outer_position(w, 0, plane, kz, &z);                                \
            ptrdiff_t at = ((c * w->input[0] + z) * w->input[1] + y) * w->input[2];                   \
            for (; row < last_row && rest < w->output[1]; row += 1, rest += 1, at += next_place) {    \
              const ptrdiff_t row_at = is_inside && rest >= rows.first && rest < rows.last ? at : -1; \
              body;                                                                                   \
            }                                                                                         \
          }                                                                                           \
        }

// Copies every other element, four at a time; one element past the last may be read.
#define EVERY_OTHER(name, S)                                                                                         \
  typedef S name##_vector __attribute__((ext_vector_type(4), aligned(sizeof(S)), may_alias));                        \
  static void name(S *to, const S *from, ptrdiff_t count) {                                                          \
    ptrdiff_t i = 0;                                                                                                 \
    for (; i + 4 <= count; i += 4) {                                                                                 \
      name##_vector low = *(const name##_vector *)(from + 2 * i), high = *(const name##_vector *)(from + 2 * i + 4); \
      *(name##_vector *)(to + i) = __builtin_shufflevector(low, high, 0, 2, 4, 6);                                   \
    }                                                                                                                \
    for (; i < count; i += 1) to[i] = from[2 * i];                                                                   \
  }
EVERY_OTHER(every_other4, uint32_t)
EVERY_OTHER(every_other8, uint64_t)

#define UNFOLD(name, S, every_other)                                                                    \
  static void name(                                                                                     \
      const csimd_windows *w, const S *image, ptrdiff_t first_row, ptrdiff_t last_row, S *lines,        \
      ptrdiff_t line_stride) {                                                                          \
    ptrdiff_t width = w->output[2], stride = w->stride[2];                                              \
    FOR_EACH_ROW(w, {                                                                                   \
      S *to = lines + line * line_stride + (row - first_row) * width;                                   \
      if (row_at < 0) {                                                                                 \
        memset(to, 0, (size_t)width * sizeof(S));                                                       \
      } else {                                                                                          \
        const S *from = image + row_at + part.start;                                                    \
        for (ptrdiff_t at = 0; at < (part.last - part.first) * stride; at += 64 / (ptrdiff_t)sizeof(S)) \
          csimd_prefetch_ahead(from + at);                                                              \
        for (ptrdiff_t i = 0; i < part.first; i += 1) to[i] = 0;                                        \
        if (stride == 1) {                                                                              \
          memcpy(to + part.first, from, (size_t)(part.last - part.first) * sizeof(S));                  \
        } else if (stride == 2) {                                                                       \
          every_other(to + part.first, from, part.last - part.first);                                   \
        } else {                                                                                        \
          for (ptrdiff_t i = part.first; i < part.last; i += 1, from += stride) to[i] = *from;          \
        }                                                                                               \
        for (ptrdiff_t i = part.last; i < width; i += 1) to[i] = 0;                                     \
      }                                                                                                 \
    })                                                                                                  \
  }
UNFOLD(unfold4, uint32_t, every_other4)
UNFOLD(unfold8, uint64_t, every_other8)

void csimd_unfold(
    const csimd_windows *windows, int bytes, const void *image, ptrdiff_t first_row, ptrdiff_t last_row, void *lines,
    ptrdiff_t line_stride) {
  if (bytes == 4) unfold4(windows, image, first_row, last_row, lines, line_stride);
  else unfold8(windows, image, first_row, last_row, lines, line_stride);
}

#define FOLD(name, S)                                                                                         \
  static void name(                                                                                           \
      const csimd_windows *w, const S *lines, ptrdiff_t line_stride, ptrdiff_t first_row, ptrdiff_t last_row, \
      S *image) {                                                                                             \
    ptrdiff_t width = w->output[2], stride = w->stride[2];                                                    \
    FOR_EACH_ROW(w, {                                                                                         \
      if (row_at >= 0) {                                                                                      \
        const S *from = lines + line * line_stride + (row - first_row) * width;                               \
        S *to = image + row_at + part.start;                                                                  \
        for (ptrdiff_t i = part.first; i < part.last; i += 1, to += stride) *to += from[i];                   \
      }                                                                                                       \
    })                                                                                                        \
  }
FOLD(fold_f32, float)
FOLD(fold_f64, double)
FOLD(fold_i32, uint32_t)
FOLD(fold_i64, uint64_t)

void csimd_fold(
    const csimd_windows *windows, int lane, const void *lines, ptrdiff_t line_stride, ptrdiff_t first_row,
    ptrdiff_t last_row, void *image) {
  switch (lane) {
    case CSIMD_F32: fold_f32(windows, lines, line_stride, first_row, last_row, image); break;
    case CSIMD_F64: fold_f64(windows, lines, line_stride, first_row, last_row, image); break;
    case CSIMD_I32: fold_i32(windows, lines, line_stride, first_row, last_row, image); break;
    default: fold_i64(windows, lines, line_stride, first_row, last_row, image); break;
  }
}
