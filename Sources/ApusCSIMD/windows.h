// The pixels that the windows of convolutions and pooling read. A tap is a position in the window.

#ifndef CSIMD_WINDOWS_H
#define CSIMD_WINDOWS_H

#include "../../Kernels/prelude/indices.h"
#include "csimd.h"

/// Returns the position, along an axis, of the pixel that a tap reads for result `o`; it may be outside of the image.
static inline __attribute__((unused)) ptrdiff_t
csimd_pixel_of(const csimd_windows *w, int axis, ptrdiff_t o, ptrdiff_t tap) {
  return o * w->stride[axis] + tap * w->dilation[axis] - w->padding[axis];
}

/// Along one axis: the results `first ..< last` for which a tap reads a pixel inside the image, and the pixel `start`
/// that it reads for result `first`.
typedef struct {
  ptrdiff_t first, last, start;
} csimd_span;

static inline __attribute__((unused)) csimd_span csimd_span_of(const csimd_windows *w, int axis, ptrdiff_t tap) {
  ptrdiff_t shift = csimd_pixel_of(w, axis, 0, tap), stride = w->stride[axis];
  // Result o reads pixel o·stride + shift, which is inside the image if 0 ≤ o·stride + shift < input.
  ptrdiff_t first = MULTIPLES_BELOW(-shift, stride);
  ptrdiff_t last = MULTIPLES_BELOW(w->input[axis] - shift, stride);
  if (last > w->output[axis]) last = w->output[axis];
  if (first > last) first = last;
  return (csimd_span){first, last, first * stride + shift};
}

/// Sets `at` to the position, along an axis, of the pixel that a tap reads for result `o`; returns whether it is inside
/// the image.
static inline __attribute__((unused)) int csimd_outer_position(
    const csimd_windows *w, int axis, ptrdiff_t o, ptrdiff_t tap, ptrdiff_t *at) {
  *at = csimd_pixel_of(w, axis, o, tap);
  return *at >= 0 && *at < w->input[axis];
}

#endif
