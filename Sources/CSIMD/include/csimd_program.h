#ifndef CSIMD_PROGRAM_H
#define CSIMD_PROGRAM_H

#include "csimd.h"

/// A program over one domain, resolved to functions and layouts, run block by block: the registers of
/// a block stay in the first-level cache.

#define CSIMD_RANK 8

/// Where the elements of an array lie, in elements. Adjacent axes that are walked as one are merged, so
/// that a contiguous array has rank 1 and stride 1, and a repeated number rank 0.
typedef struct {
  int rank;
  int64_t extents[CSIMD_RANK];
  int64_t strides[CSIMD_RANK];
  int64_t offset;
} csimd_layout;

enum { CSIMD_TENSOR, CSIMD_SCALAR, CSIMD_CORE, CSIMD_INDEX, CSIMD_CONSTANT };

/// A register filled from outside the program.
typedef struct {
  int kind;
  /// The number of the value, the scalar, or the core result.
  int index;
  int lane;
  int dtype;
  /// Whether registers may lie in the array itself (never where an output may overwrite it too early).
  int in_place;
  csimd_layout layout;
  /// Where the register is kept in the workspace, in bytes.
  size_t slot;
  /// Of a constant.
  const void *splat;
} csimd_argument;

typedef struct {
  csimd_loop loop;
  /// What writes the output's bytes at once, where the result is a test that nothing else reads; else NULL.
  csimd_loop truths;
  int operand_count;
  int operands[3];
  /// The output that the result is written to at once, or −1.
  int output;
  /// All operands are the same for all elements: run once.
  int is_uniform;
  /// Takes longer than its loads and stores: memory can be prefetched meanwhile.
  int is_long;
  /// For kernels that read large arrays: whether the memory behind the operands is prefetched, and the argument whose
  /// array is prefetched ahead of its use, or −1.
  int prefetches_operands, prefetched_argument;
  size_t slot;
} csimd_instruction;

typedef struct {
  int reg;
  int value;
  int lane;
  int dtype;
  /// An instruction writes it.
  int is_direct;
  /// It is written past the caches, which are not to hold it.
  int streams;
  csimd_layout layout;
  /// For expanding a register that is the same for all elements.
  size_t slot;
} csimd_output;

typedef struct {
  const csimd_table *table;
  int argument_count, instruction_count, output_count;
  csimd_argument *arguments;
  csimd_instruction *instructions;
  csimd_output *outputs;
  /// Blocks have at most `block` elements and, where `row` is not 0, do not cross a multiple of it.
  int64_t block;
  int64_t row;
  size_t workspace_bytes;
  /// Arrays are read that no second-level cache holds.
  int is_large;
  /// All arrays lie side by side along the domain, at most CSIMD_FLAT_INSTRUCTIONS instructions run on blocks, and they
  /// write all outputs at once.
  int is_flat;
} csimd_kernel;

#define CSIMD_FLAT_INSTRUCTIONS 16

/// Memory that will be read after this run, without what has been prefetched already.
typedef struct {
  const char *next, *end;
} csimd_prefetch_range;

/// Where lines are prefetched from while `count` numbers are worked on, one for each 16 of them; NULL where nothing is
/// left.
const char *csimd_prefetch_next(csimd_prefetch_range *ahead, int64_t count);

/// What a kernel runs on.
typedef struct {
  /// The first byte of each value of the plan.
  void *const *values;
  /// Each entry of the scalar bank, repeated over 16 lanes in CSIMD_SPLAT_BYTES bytes.
  const char *scalars;
  /// Core results, contiguous, the first element of each being element `core_start` of the domain.
  void *const *cores;
  int64_t core_start;
  /// Elements to add to the position of each argument, or NULL.
  const int64_t *shifts;
  /// CSIMD_MAXIMUM_REGISTERS operands and the kernel's workspace.
  char *workspace;
  /// Pieces of memory, up to one whose `end` is NULL; or NULL.
  csimd_prefetch_range *ahead;
} csimd_frame;

#define CSIMD_MAXIMUM_REGISTERS 1024
#define CSIMD_FRAME_BYTES (CSIMD_MAXIMUM_REGISTERS * sizeof(csimd_operand))

/// Called with the outputs of each block instead of storing them.
typedef void (*csimd_sink)(void *context, const csimd_operand *outputs, int64_t start, size_t count);

/// Runs elements `start..<end`.
void csimd_run(
    const csimd_kernel *kernel, const csimd_frame *frame, int64_t start, int64_t end, csimd_sink sink,
    void *context);

/// Elements of a domain whose rows are `width` long: `columns` of each of some rows, from element `start` on. Rows of
/// the core results are `leading` apart, the first one at the beginning.
typedef struct {
  int64_t start, rows, columns, width, leading;
  /// Whether rows and columns each walk along one axis of the domain.
  int is_regular;
} csimd_tile;

/// Runs a tile of at most `block` columns, rows together: short ones would spend their time on calls.
void csimd_run_tile(const csimd_kernel *kernel, const csimd_frame *frame, const csimd_tile *tile);

/// What the reducers of a reduction take from the outputs of its kernel.
enum {
  /// Each one takes the output of its own number.
  CSIMD_OUTPUTS_SEPARATE,
  /// A reducer by rows takes two: numbers, and what is subtracted from them.
  CSIMD_OUTPUTS_SHARE_OPERANDS,
  /// `sum_squared_difference` and `sum_difference` take these two together, by rows or by columns. The outputs are
  /// arguments; by columns the numbers lie side by side, and what is subtracted serves all lines.
  CSIMD_OUTPUTS_DEVIATIONS
};

/// A reduction: `kernel` runs over the inner axes, `outer` moves its arguments.
///
/// By rows, the kernel's domain are the reduced axes and each kept position gives one result. By
/// columns, the kernel's domain are the kept axes, and the reduced positions are taken one by one.
typedef struct {
  const csimd_kernel *kernel;
  int reducer_count;
  /// One of CSIMD_OUTPUTS_….
  int outputs;
  const csimd_reducer *const *reducers;
  /// Bytes of a number of each reducer's operand lane.
  const int *number_bytes;
  /// Bytes of each result.
  const int *result_bytes;
  /// Over the outer axes, one for each argument of the kernel: where it moves.
  const csimd_layout *outer;
} csimd_reduction;

/// Results `first..<last`, of reduced positions `start..<end`. `states` has room for CSIMD_STATE_BYTES for
/// each reducer; results are written at `results[i] + position·bytes`, unless `keeps_states`: then the
/// running values are left in `states`.
void csimd_reduce_rows(
    const csimd_reduction *reduction, csimd_frame *frame, int64_t first, int64_t last, int64_t start,
    int64_t end, void *states, void *const *results, int keeps_states);

/// Merges the running values of `parts` parts of each of `count` results in pairs and writes the results.
void csimd_merge_rows(
    const csimd_reduction *reduction, void *states, int64_t count, int64_t parts, void *const *results);

/// The arrays that a reduction by columns keeps for each reducer: of those to numbers one for the lines that are combined
/// at once and one for each level of the cascade, where `lines` reduced positions are taken; else numbers and places.
int64_t csimd_column_arrays(int64_t lines);

/// Kept positions `first..<last` of `width`, reduced positions `start..<end`, into `columns`: `arrays` arrays of 8·width
/// bytes for each reducer.
void csimd_reduce_columns(
    const csimd_reduction *reduction, csimd_frame *frame, int64_t first, int64_t last, int64_t start,
    int64_t end, void *columns, int64_t width, int64_t arrays);

/// Merges the columns of `parts` parts, which lie one after the other, in pairs, and writes the results.
void csimd_merge_columns(
    const csimd_reduction *reduction, void *columns, int64_t parts, int64_t first, int64_t last, int64_t width,
    int64_t arrays, void *const *results);

/// Makes what `groups` lines at once gave a term of the levels above, where that fills chains. Levels lie `distance`
/// bytes apart, the lowest one first.
void csimd_climb_columns(
    const csimd_reducer *reducer, size_t count, void *levels, ptrdiff_t distance, int64_t groups);

/// Combines the levels of `groups` lines at once in the lowest.
void csimd_settle_columns(
    const csimd_reducer *reducer, size_t count, void *levels, ptrdiff_t distance, int64_t groups);

/// Bytes of a lane's and of a type's numbers.
int csimd_lane_bytes(int lane);
int csimd_dtype_bytes(int dtype);

/// Fills in a layout, merging axes.
void csimd_set_layout(
    csimd_layout *layout, int rank, const int64_t *extents, const int64_t *strides, int64_t offset);

/// Where a layout puts row-major element `index`.
int64_t csimd_position(const csimd_layout *layout, int64_t index);

#endif
