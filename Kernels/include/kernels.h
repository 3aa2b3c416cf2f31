#ifndef APUS_KERNELS_H
#define APUS_KERNELS_H

/// Returns the text of a kernel file by its name ("prelude/math.h", "matmul/tiled.cl"), or NULL.
const char *_Nullable apus_kernel_text(const char *_Nonnull name);

#endif
