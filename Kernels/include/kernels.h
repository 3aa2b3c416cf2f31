#ifndef APUS_KERNELS_H
#define APUS_KERNELS_H

/// Returns the text of a kernel file by its name ("prelude/math.h", "matmul/tiled.cl"), or NULL.
///
/// Most `.cl` files are templates of a kernel's body or of a part of it. `KernelTemplate` in ApusGPU replaces each
/// `$name`: a name of several capitals, such as `$EPILOGUE`, by lines of code or the rest of an expression, and any
/// other name by an expression or a type. Many templates have these parameters:
///
///   - `$T`, `$V`: the scalar type of the lane (arithmetic type), and a register of WIDTH such scalars
///     (prelude/opencl.h)
///   - `$lane`: the suffix of the lane's functions, such as `f32`
///   - `$dtype`: the element type in memory, the suffix of loads and stores (prelude/storage.h), such as `float16`
///   - `$index`: the type of indices, `int` or `i64`
///   - `$zero`: a register of zeros
///   - `$ROW`, `$EPILOGUE`: the epilogue, which applies the fused elementwise operations to the kernel's sums and
///     stores the results. `$ROW` computes the offsets of row `output` of the result. `$EPILOGUE` stores the `count`
///     results that begin at column `column`; their sums are in the register `core`.
const char *_Nullable apus_kernel_text(const char *_Nonnull name);

#endif
