#include <string.h>

#include "windows.h"

// Calls `body` with line (the number of the tap), row, part (a span), and place: where in the image the row
// starts, or −1 for a row outside.
#define FOR_EACH_ROW(w, body)                                                                       \
  ptrdiff_t line = 0;                                                                               \
  for (ptrdiff_t c = 0; c < w->channels; c += 1)                                                    \
    for (ptrdiff_t kz = 0; kz < w->kernel[0]; kz += 1)                                              \
      for (ptrdiff_t ky = 0; ky < w->kernel[1]; ky += 1)                                            \
        for (ptrdiff_t kx = 0; kx < w->kernel[2]; kx += 1, line += 1) {                             \
          csimd_span part = csimd_inner_span(w, kx);                                                            \
          for (ptrdiff_t row = first_row; row < last_row; row += 1) {                               \
            ptrdiff_t z, y, place = -1;                                                             \
            if (csimd_outer_position(w, 0, row / w->output[1], kz, &z)                                    \
                && csimd_outer_position(w, 1, row % w->output[1], ky, &y))                                \
              place = ((c * w->input[0] + z) * w->input[1] + y) * w->input[2];                      \
            body;                                                                                   \
          }                                                                                         \
        }

#define UNFOLD(name, S)                                                                             \
  static void name(const csimd_windows *w, const S *image, ptrdiff_t first_row, ptrdiff_t last_row, \
                   S *lines, ptrdiff_t line_stride) {                                               \
    ptrdiff_t width = w->output[2], stride = w->stride[2];                                          \
    FOR_EACH_ROW(w, {                                                                               \
      S *to = lines + line * line_stride + (row - first_row) * width;                               \
      if (place < 0) {                                                                              \
        memset(to, 0, (size_t)width * sizeof(S));                                                   \
      } else {                                                                                      \
        const S *from = image + place + part.start;                                                 \
        for (ptrdiff_t i = 0; i < part.first; i += 1) to[i] = 0;                                    \
        if (stride == 1) {                                                                          \
          memcpy(to + part.first, from, (size_t)(part.last - part.first) * sizeof(S));              \
        } else {                                                                                    \
          for (ptrdiff_t i = part.first; i < part.last; i += 1, from += stride) to[i] = *from;      \
        }                                                                                           \
        for (ptrdiff_t i = part.last; i < width; i += 1) to[i] = 0;                                 \
      }                                                                                             \
    })                                                                                              \
  }
UNFOLD(unfold4, uint32_t)
UNFOLD(unfold8, uint64_t)

void csimd_unfold(
    const csimd_windows *windows, int bytes, const void *image, ptrdiff_t first_row, ptrdiff_t last_row,
    void *lines, ptrdiff_t line_stride) {
  if (bytes == 4)
    unfold4(windows, image, first_row, last_row, lines, line_stride);
  else
    unfold8(windows, image, first_row, last_row, lines, line_stride);
}

#define FOLD(name, S)                                                                               \
  static void name(const csimd_windows *w, const S *lines, ptrdiff_t line_stride,                   \
                   ptrdiff_t first_row, ptrdiff_t last_row, S *image) {                             \
    ptrdiff_t width = w->output[2], stride = w->stride[2];                                          \
    FOR_EACH_ROW(w, {                                                                               \
      if (place >= 0) {                                                                             \
        const S *from = lines + line * line_stride + (row - first_row) * width;                     \
        S *to = image + place + part.start;                                                         \
        for (ptrdiff_t i = part.first; i < part.last; i += 1, to += stride) *to += from[i];         \
      }                                                                                             \
    })                                                                                              \
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
