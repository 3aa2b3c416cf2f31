#ifndef APUS_KERNELS_H
#define APUS_KERNELS_H

/// The text of a GPU kernel file by its name ("prelude/math.h", "matmul/tiled.cl"), or NULL.
const char *apus_kernel_text(const char *name);

#endif
