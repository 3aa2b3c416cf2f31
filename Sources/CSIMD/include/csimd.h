#ifndef CSIMD_H
#define CSIMD_H

#include <stddef.h>
#include <stdint.h>

/// The CPU's inner loops, one table of functions for each instruction set.
///
/// Every loop works in groups of 16 lanes, also where the machine has fewer, so that the order of a
/// reduction is the same everywhere.

/// The raw values of `Lane` and `DType` in ApusDevice.
enum { CSIMD_I32, CSIMD_I64, CSIMD_F32, CSIMD_F64, CSIMD_LANES };
enum {
  CSIMD_BOOL, CSIMD_U8, CSIMD_S8, CSIMD_S32, CSIMD_S64, CSIMD_FLOAT16, CSIMD_BFLOAT16,
  CSIMD_FLOAT32, CSIMD_FLOAT64, CSIMD_DTYPES
};

/// The bytes that a number repeated over 16 lanes takes at most.
#define CSIMD_SPLAT_BYTES 128
/// The bytes of the running value of a reduction: 64 lanes.
#define CSIMD_STATE_BYTES 1024

/// An operand of a loop: with step 1 an array, with step 0 a number repeated over 16 lanes.
typedef struct {
  const void *data;
  size_t step;
} csimd_operand;

/// `result[i] = f(operands[0][i], …)` for i < count. The result may be one of the operands.
typedef void (*csimd_loop)(size_t count, void *result, const csimd_operand *operands);

/// `result[i] = source[i·stride]` with conversion to the lane of the source's type.
typedef void (*csimd_load)(size_t count, void *result, const void *source, ptrdiff_t stride);
/// `result[i·stride] = source[i]` with conversion from the lane of the result's type.
typedef void (*csimd_store)(size_t count, void *result, ptrdiff_t stride, const void *source);

typedef struct {
  const char *name;
  csimd_loop loop;
} csimd_row;

/// One row of Kernels/reduce.def on one lane. Running values are 64 lanes (sums) or 16 lanes with their
/// places (argmin and argmax: `is_index`).
typedef struct {
  const char *name;
  int is_index;
  /// Sets a running value to the identity.
  void (*begin)(void *state);
  /// Takes in `count` numbers, the first of which has the place `start`.
  void (*take)(size_t count, void *state, const csimd_operand *values, int64_t start);
  /// Takes in another running value of later places.
  void (*merge)(void *state, const void *other);
  /// Writes the result: a number of the lane, or a 64-bit place.
  void (*finish)(const void *state, void *result);
  /// Sets `count` numbers to the identity (0 and place 0 in the second array where `is_index`).
  void (*begin_columns)(size_t count, void *numbers, int64_t *places);
  /// `numbers[i] = f(numbers[i], values[i])`; `place` is that of the values, equal for all.
  void (*take_columns)(size_t count, void *numbers, int64_t *places, const csimd_operand *values, int64_t place);
  /// Merges columns of later places.
  void (*merge_columns)(size_t count, void *numbers, int64_t *places, const void *other, const int64_t *other_places);
} csimd_reducer;

/// Combines each of `lines` lines of `width` numbers with all before it (after it where reversed).
typedef void (*csimd_scan)(size_t lines, size_t width, void *values, int is_reversed);
/// `C[m, n] = A[m, k]·B[k, n]` of integers, with the given distances of rows.
typedef void (*csimd_integer_matmul)(
    size_t m, size_t n, size_t k, const void *a, size_t lda, const void *b, size_t ldb, void *c, size_t ldc);

typedef struct {
  const char *name;
  /// By lane.
  const csimd_row *rows[CSIMD_LANES];
  size_t row_count[CSIMD_LANES];
  const csimd_reducer *reducers[CSIMD_LANES];
  size_t reducer_count[CSIMD_LANES];
  /// `operands[0] ? operands[1] : operands[2]`, the condition of lane int32.
  csimd_loop select[CSIMD_LANES];
  /// From the first lane to the second; float to integer truncates and saturates, NaN becomes 0.
  csimd_loop convert[CSIMD_LANES][CSIMD_LANES];
  csimd_load load[CSIMD_DTYPES];
  csimd_store store[CSIMD_DTYPES];
  /// `result[i] = start + i·step`, for int32 and int64.
  void (*count_up[2])(size_t count, void *result, int64_t start, int64_t step);
  /// Words `start..<start + count` of a Philox4x32-10 stream; `start` is a multiple of 4.
  void (*philox)(size_t count, uint32_t *result, uint64_t start, uint64_t seed, uint64_t counter);
  csimd_scan scan_sum[CSIMD_LANES];
  csimd_scan scan_product[CSIMD_LANES];
  /// For int32 and int64.
  csimd_integer_matmul integer_matmul[2];
} csimd_table;

/// The table named `name` ("avx512", "avx2", "baseline"), or the best of this machine for NULL. NULL is
/// returned where the name is unknown or the machine cannot run it.
const csimd_table *csimd_open(const char *name);

/// The loop of a row on a lane, or NULL.
csimd_loop csimd_find(const csimd_table *table, const char *row, int lane);
const csimd_reducer *csimd_find_reducer(const csimd_table *table, const char *row, int lane);

csimd_loop csimd_find_conversion(const csimd_table *table, int from, int to);
csimd_load csimd_find_load(const csimd_table *table, int dtype);
csimd_store csimd_find_store(const csimd_table *table, int dtype);

/// The stable order that sorts `count` numbers of a lane, which lie at the start of `workspace`: 4·count
/// words of 8 bytes. NaN is the greatest number.
void csimd_sort(int lane, int is_descending, size_t count, uint64_t *workspace, int64_t *result);

/// Repeats a number of the given lane over 16 lanes.
void csimd_splat(void *result, int lane, double floating, int64_t integer);

#include "csimd_program.h"
#include "csimd_threads.h"

#endif
