#ifndef CSIMD_PROGRAM_H
#define CSIMD_PROGRAM_H

#include "csimd.h"

/// A kernel (`csimd_kernel`) is an elementwise program over the elements of one shape (the domain), with its functions
/// and layouts. It runs block by block, so that the registers of a block, which are arrays in memory, stay in the L1
/// cache.

/// The maximum rank of a layout.
#define CSIMD_RANK 8

/// The layout of an array, in elements. Axes that can be traversed as one are merged, so that a contiguous array has
/// rank 1 and stride 1, and a broadcast value has rank 0.
typedef struct {
  int rank;
  int64_t extents[CSIMD_RANK];
  int64_t strides[CSIMD_RANK];
  int64_t offset;
} csimd_layout;

/// The kinds of arguments: an array, an entry of the scalar bank (the numbers that are passed to each run), a core
/// result (what the step computed before the program runs, such as a matrix product), the index of the element, and a
/// constant.
enum { CSIMD_TENSOR, CSIMD_SCALAR, CSIMD_CORE, CSIMD_INDEX, CSIMD_CONSTANT };

/// An input of the program, which fills a register.
typedef struct {
  int kind;
  /// The index of the value, scalar, or core result.
  int index;
  /// The arithmetic type of the register, and the storage type of the array.
  int lane;
  int dtype;
  /// Whether the register may alias the array: 0 if an output could overwrite the array before the last use of the
  /// register.
  int in_place;
  csimd_layout layout;
  /// The byte offset of the register in the workspace.
  size_t slot;
  /// The value of a constant, broadcast to 16 lanes.
  const void *splat;
} csimd_argument;

/// An instruction. Registers are numbered: first one register for each argument, then one for each instruction.
typedef struct {
  csimd_loop loop;
  /// The loop that writes the result of a comparison directly to an output of bytes, if nothing else reads the result;
  /// otherwise NULL.
  csimd_loop truths;
  int operand_count;
  int operands[3];
  /// The output that the result is written to directly, or −1.
  int output;
  /// Whether every operand is uniform (has one value over the whole domain), so that the instruction runs once.
  int is_uniform;
  /// Whether the instruction takes more time than its loads and stores, so that memory can be prefetched meanwhile.
  int is_long;
  /// For kernels that read large arrays: whether the memory after the operands is prefetched, and the argument whose
  /// later elements are prefetched, or −1.
  int prefetches_operands, prefetched_argument;
  size_t slot;
} csimd_instruction;

/// An output of the program.
typedef struct {
  /// The register that is stored.
  int reg;
  /// The index of the value in which the register is stored.
  int value;
  int lane;
  int dtype;
  /// Whether an instruction writes the output directly.
  int is_direct;
  /// Whether the output is written with non-temporal stores.
  int streams;
  csimd_layout layout;
  /// A workspace slot in which a uniform register is repeated for each element of a block before it is stored.
  size_t slot;
} csimd_output;

typedef struct {
  const csimd_table *table;
  int argument_count, instruction_count, output_count;
  csimd_argument *arguments;
  csimd_instruction *instructions;
  csimd_output *outputs;
  /// A block has at most `block` elements. If `row` is not 0, all elements of a block have the same `index / row`.
  int64_t block;
  int64_t row;
  size_t workspace_bytes;
  /// Whether the kernel reads arrays that do not fit into an L2 cache.
  int is_large;
  /// Whether a run only has to advance pointers from block to block. For this, `row` must be 0, and each argument must
  /// be uniform, a core result, or an array that is contiguous along the domain and read in place. At least one and at
  /// most CSIMD_FLAT_INSTRUCTIONS instructions must run on blocks, and they must write all outputs directly.
  int is_flat;
} csimd_kernel;

#define CSIMD_FLAT_INSTRUCTIONS 16

/// The part of a memory range that has not been prefetched yet. It is read after the current run of the kernel.
typedef struct {
  const char *next, *end;
} csimd_prefetch_range;

/// Takes from the ranges the memory that is to be prefetched while `count` elements are processed: one cache line for
/// each 16 elements. Returns the address of this memory, or NULL if the ranges are empty.
const char *csimd_prefetch_next(csimd_prefetch_range *ahead, int64_t count);

/// The memory that a kernel runs on.
typedef struct {
  /// The address of each value of the plan.
  void *const *values;
  /// The scalar bank; each entry is broadcast to 16 lanes in CSIMD_SPLAT_BYTES bytes.
  const char *scalars;
  /// Core results, each contiguous; their first element is element `core_start` of the domain.
  void *const *cores;
  int64_t core_start;
  /// For each argument, an offset in elements that is added to its positions; or NULL.
  const int64_t *shifts;
  /// Memory for CSIMD_MAXIMUM_REGISTERS operands and the kernel's workspace.
  char *workspace;
  /// Ranges to prefetch, terminated by a range whose `end` is NULL; or NULL.
  csimd_prefetch_range *ahead;
} csimd_frame;

#define CSIMD_MAXIMUM_REGISTERS 1024
#define CSIMD_FRAME_BYTES (CSIMD_MAXIMUM_REGISTERS * sizeof(csimd_operand))

/// A function that receives the outputs of each block. With a sink, outputs are not stored.
typedef void (*csimd_sink)(void *context, const csimd_operand *outputs, int64_t start, size_t count);

/// Runs elements `start..<end`.
void csimd_run(
    const csimd_kernel *kernel, const csimd_frame *frame, int64_t start, int64_t end, csimd_sink sink, void *context);

/// A tile of a domain whose rows have `width` elements: `rows` × `columns` elements, beginning at element `start`. The
/// core results begin with the tile's first row, and their row stride is `leading`.
typedef struct {
  int64_t start, rows, columns, width, leading;
  /// Whether rows and columns each run along one axis of the domain.
  int is_regular;
} csimd_tile;

/// Runs a tile of at most `block` columns. Several rows run together, so that short rows share one call of each loop.
void csimd_run_tile(const csimd_kernel *kernel, const csimd_frame *frame, const csimd_tile *tile);

/// How the reducers of a reduction read the outputs of its kernel; `csimd_reduction` explains "by rows" and "by
/// columns".
enum {
  /// Reducer i reads output i.
  CSIMD_OUTPUTS_SEPARATE,
  /// By rows only: each reducer reads both outputs, the first as minuends and the second as subtrahends.
  CSIMD_OUTPUTS_SHARE_OPERANDS,
  /// `sum_squared_difference` and `sum_difference` read minuends and subtrahends together, by rows or by columns. By
  /// columns, the outputs are unchanged arguments of the kernel, the minuends are contiguous, and all lines (a line is
  /// the elements at one reduced position) have the same subtrahends.
  CSIMD_OUTPUTS_DEVIATIONS
};

/// A reduction: `kernel` runs over the inner axes, `outer` gives the offsets of its arguments along the outer axes.
///
/// By rows, the kernel's domain is the reduced axes, and each position of the kept axes has one result. By columns, the
/// kernel's domain is the kept axes, and the positions of the reduced axes are accumulated one by one.
typedef struct {
  const csimd_kernel *kernel;
  int reducer_count;
  /// One of CSIMD_OUTPUTS_….
  int outputs;
  const csimd_reducer *const *reducers;
  /// For each reducer, the bytes of an element of its operands.
  const int *number_bytes;
  /// Bytes of each result.
  const int *result_bytes;
  /// The layout of each kernel argument along the outer axes.
  const csimd_layout *outer;
} csimd_reduction;

/// Computes results `first..<last` over reduced positions `start..<end`. `states` has CSIMD_STATE_BYTES for each
/// reducer. Results are written to `results[i] + position·bytes`; with `keeps_states`, no results are written, and the
/// accumulators remain in `states`.
void csimd_reduce_rows(
    const csimd_reduction *reduction, csimd_frame *frame, int64_t first, int64_t last, int64_t start, int64_t end,
    void *states, void *const *results, int keeps_states);

/// For each of `count` results, merges the accumulators of its `parts` parts (ranges of elements) in pairs and writes
/// the result.
void csimd_merge_rows(
    const csimd_reduction *reduction, void *states, int64_t count, int64_t parts, void *const *results);

/// The number of arrays per reducer that a reduction by columns of `lines` reduced positions needs: one array for the
/// combination of the current group of lines (CSIMD_LINES_AT_ONCE), and one for each level of the cascade (see
/// Kernels/reduce.def) that groups are merged into. There are at least two arrays, because argmin and argmax need one
/// for values and one for indices.
int64_t csimd_column_arrays(int64_t lines);

/// For `first..<last` of the `width` kept positions, accumulates the reduced positions `start..<end` in `columns`.
/// `columns` has `arrays` arrays of 8·width bytes for each reducer.
void csimd_reduce_columns(
    const csimd_reduction *reduction, csimd_frame *frame, int64_t first, int64_t last, int64_t start, int64_t end,
    void *columns, int64_t width, int64_t arrays);

/// Merges the columns of `parts` parts (ranges of lines) pairwise and writes the results. The parts are contiguous in
/// `columns`.
void csimd_merge_columns(
    const csimd_reduction *reduction, void *columns, int64_t parts, int64_t first, int64_t last, int64_t width,
    int64_t arrays, void *const *results);

/// Merges each full level into the level above, and clears the full level. A level is full after CSIMD_CHAIN merges
/// into it. Must be called after each merge of a group of lines into the lowest level; `groups` is how many groups were
/// merged so far. Levels are `distance` bytes apart, the lowest level first.
void csimd_carry_columns(const csimd_reducer *reducer, size_t count, void *levels, ptrdiff_t distance, int64_t groups);

/// After `groups` groups of lines, combines all levels into the lowest level.
void csimd_total_columns(const csimd_reducer *reducer, size_t count, void *levels, ptrdiff_t distance, int64_t groups);

/// Bytes of a number of the arithmetic type `lane`.
int csimd_lane_bytes(int lane);
/// Bytes of an element of the storage type `dtype`.
int csimd_dtype_bytes(int dtype);

/// The position of row-major element `index` in a layout.
int64_t csimd_position(const csimd_layout *layout, int64_t index);

#endif
