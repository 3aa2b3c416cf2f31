#ifndef CSIMD_H
#define CSIMD_H

#include <stddef.h>
#include <stdint.h>

/// The CPU's inner loops, one table of functions for each instruction set.
///
/// Every loop processes groups of 16 elements (vector lanes), even if the machine's vectors are shorter, so that the
/// order of a reduction is the same on all machines.

/// The raw values of `Lane` (an arithmetic type) and of `DType` (a storage type) in ApusDevice.
enum { CSIMD_I32, CSIMD_I64, CSIMD_F32, CSIMD_F64, CSIMD_LANES };
enum {
  CSIMD_BOOL,
  CSIMD_U8,
  CSIMD_S8,
  CSIMD_S32,
  CSIMD_S64,
  CSIMD_FLOAT16,
  CSIMD_BFLOAT16,
  CSIMD_FLOAT32,
  CSIMD_FLOAT64,
  CSIMD_DTYPES
};

/// The size in bytes of 16 copies of a value of the largest type, which a scalar is broadcast to.
#define CSIMD_SPLAT_BYTES 128
/// The number of lines that a reduction by columns (see `csimd_reduction`) combines before it accumulates the result,
/// so that it reads and writes the accumulators only once for these lines. A line consists of the elements at one
/// reduced position. If the columns of a matrix product are summed, the product's tasks have a multiple of this number
/// of rows, so that no two tasks share such a group of lines.
#define CSIMD_LINES_AT_ONCE 12
/// Bytes of the accumulator of a reduction: see `csimd_reducer`.
#define CSIMD_STATE_BYTES 1024
/// The number of cache lines that can be prefetched while `take_deviations` accumulates 64 elements.
#define CSIMD_DEVIATION_LINES 2

/// An operand of a loop: an array (step 1), or a value that is broadcast to 16 lanes (step 0).
typedef struct {
  const void *data;
  size_t step;
} csimd_operand;

/// Prefetches the cache line 2 KiB after `data` into the L2 cache; the caller is reading `data`. The hardware
/// prefetcher stops at page boundaries, and fetches too few lines for one core to saturate the memory bandwidth.
static inline void csimd_prefetch_ahead(const void *data) { __builtin_prefetch((const char *)data + 2048, 0, 2); }

/// Makes earlier non-temporal stores visible before any later store.
static inline void csimd_fence(void) {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#else
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/// How a loop accesses memory that is not in a cache.
typedef struct {
  /// Whether the result, which is aligned to 64 bytes, is written with non-temporal stores.
  int streams;
  /// Whether the memory after the operands' current position is prefetched.
  int prefetches_operands;
  /// Memory to prefetch, one cache line with each group of 16 results; NULL for none.
  const char *ahead;
} csimd_hints;

/// `result[i] = f(operands[0][i], …)` for i < count. The result may be one of the operands. `hints` may be NULL.
typedef void (*csimd_loop)(size_t count, void *result, const csimd_operand *operands, const csimd_hints *hints);

/// `result[i] = source[i·stride]`, converted from the storage type of the source to its lane (arithmetic type).
typedef void (*csimd_load)(size_t count, void *result, const void *source, ptrdiff_t stride);
/// `result[i·stride] = source[i]`, converted from the lane to the storage type of the result. With `streams` it uses
/// non-temporal stores, if stride and alignment allow it.
typedef void (*csimd_store)(size_t count, void *result, ptrdiff_t stride, const void *source, int streams);

/// The inner dimension of a product of `a` and `b`, as two nested loops over lines. A line is `k` elements of a row of
/// `a`, which are multiplied by `k` rows of `b`.
typedef struct {
  /// The numbers of iterations of the outer and of the inner loop over the lines.
  size_t count[2];
  /// For each of the two loops, the distance between consecutive lines in `a` and in `b`.
  ptrdiff_t a[2], b[2];
  /// The number of elements in a line.
  size_t k;
  /// The stride of these elements in `a`.
  ptrdiff_t a_step;
  /// The number of rows to skip at the start of each panel of `b`.
  size_t first;
} csimd_lines;

/// Channels-last images, whose number of channels is a multiple of 16, and the 4 × 4 tiles of the results of a 3 × 3
/// convolution. Each tile is computed from a patch of 6 × 6 pixels. The patch of the first tile begins `lead_y` rows
/// above and `lead_x` pixels to the left of the image.
typedef struct {
  size_t height, width, channels, tiles_y, tiles_x;
  ptrdiff_t lead_y, lead_x;
} csimd_winograd;

/// The loops of an operation on one lane (arithmetic type). The operation is a row of Kernels/elementwise.def or a
/// `FusedRow` of ApusCPU.
typedef struct {
  const char *name;
  csimd_loop loop;
  /// For comparisons, a loop that writes each result as a byte; NULL for other operations.
  csimd_loop truths;
} csimd_row;

/// One reduction of Kernels/reduce.def on one lane (arithmetic type). An accumulator (state) reads elements in groups
/// of 64:
///
///   part[0] part[1] part[2] part[3]   the current chain: each part accumulates 16 elements of a group
///      └───────┴───┬───┴───────┘
///               level[0]              up to CSIMD_CHAIN combined chains of CSIMD_CHAIN groups each
///               level[1]              up to CSIMD_CHAIN combined values of level[0]
///               level[2]              all combined values of level[1]
///   groups                            the number of accumulated groups
///
/// Parts and levels have 16 lanes. For argmin and argmax (`is_index`), the state is the best value of each of 16 lanes
/// and its index.
///
/// Three more reducers sum a function of the elements a and the second operand b: `sum_difference` a − b,
/// `sum_squared_difference` (a − b)², and `sum_exp_difference` exp(a − b). They have neither `take_columns` nor
/// `take_lines`. By columns, `deviation_lines` computes the first two together; the third exists only by rows.
typedef struct {
  const char *name;
  int is_index;
  /// The number of cache lines that can be prefetched while 64 cached elements are accumulated.
  int prefetched_lines;
  /// Sets an accumulator to the identity.
  void (*begin)(void *state);
  /// Accumulates `count` elements; `start` is the index of the first. For each 64 elements, prefetches
  /// `prefetched_lines` cache lines from `ahead` on or, if `ahead` is NULL, the memory 2 KiB after these elements.
  void (*take)(size_t count, void *state, const csimd_operand *values, int64_t start, const char *ahead);
  /// Merges another accumulator, whose elements have later indices.
  void (*merge)(void *state, const void *other);
  /// Writes the result: a number in the reducer's arithmetic type, or a 64-bit index.
  void (*finish)(const void *state, void *result);
  /// Sets `count` accumulators to the identity (for `is_index`: values to 0 and indices to −1, which means none).
  void (*begin_columns)(size_t count, void *numbers, int64_t *indices);
  /// `numbers[i] = f(numbers[i], values[i])`; all these values have the index `index`.
  void (*take_columns)(size_t count, void *numbers, int64_t *indices, const csimd_operand *values, int64_t index);
  /// Combines `lines` arrays, which are `distance` bytes apart, in order, and accumulates the result; NULL for
  /// `is_index`.
  void (*take_lines)(size_t count, void *numbers, const void *values, ptrdiff_t distance, size_t lines);
  /// Merges other accumulators of the same columns, whose elements have later indices.
  void (*merge_columns)(size_t count, void *numbers, int64_t *indices, const void *other, const int64_t *other_indices);
  /// For `sum_squared_difference` only: accumulates the squares, and the sums of `sum_difference`, in one pass.
  void (*take_deviations)(size_t count, void *squares, void *sums, const csimd_operand *values, const char *ahead);
  /// The two results of `begin`, `take_deviations` and `finish` for one array; the second operand is a single value.
  void (*deviation_row)(size_t count, const csimd_operand *values, void *square, void *sum, const char *ahead);
  /// `take_deviations` by columns for `lines` arrays; all arrays share the second operand.
  void (*deviation_lines)(
      size_t count, void *squares, void *sums, const csimd_operand *values, ptrdiff_t distance, size_t lines);
  /// The result of `begin`, `take` and `finish` for one array; short arrays need no accumulator in memory. A second
  /// operand is a single value. NULL for `is_index`.
  void (*row)(size_t count, const csimd_operand *values, void *result, const char *ahead);
} csimd_reducer;

/// The number of lines in the state of a scan: 15 levels of a cascade over 2⁶⁰ lines, and two sums (see loops_scan.h).
#define CSIMD_SCAN_LINES 17
/// Replaces each of `lines` lines of `width` elements by its combination with all lines before it (after it, if
/// reversed). `state` has CSIMD_SCAN_LINES lines. The scan continues a scan of `earlier` lines; `earlier` is a multiple
/// of CSIMD_CHAIN, or 0 at the start.
typedef void (*csimd_scan)(size_t lines, size_t width, void *values, int is_reversed, void *state, int64_t earlier);
/// `C[m, n] = A[m, k]·B[k, n]` for integers, or `C += A·B` with `accumulates`, with the given row and column strides.
typedef void (*csimd_integer_matmul)(
    size_t m, size_t n, size_t k, const void *a, size_t a_row, size_t a_column, const void *b, size_t b_row,
    size_t b_column, void *c, size_t c_row, int accumulates);

/// The input plane of a 3 × 3 depthwise filter. The first row of results reads rows `first` to `first` + 2 of the
/// plane; rows below 0 and rows at or above `rows` are read from `zeros`. With `padding` 1 the plane is as wide as the
/// result and has an implicit column of zeros on either side; with `padding` 0 it is two columns wider than the result.
typedef struct {
  const float *x, *zeros;
  size_t rows, row_stride;
  ptrdiff_t first;
  int padding;
} csimd_depthwise_plane;

/// Sliding windows over an image with `channels` channels; a tap is a pair of a channel and a kernel position. The
/// three elements of each array are for depth, height and width.
typedef struct {
  ptrdiff_t channels;
  ptrdiff_t input[3], kernel[3], output[3], stride[3], padding[3], dilation[3];
} csimd_windows;

/// Contiguous rows of `numbers`, and the results of their softmax or log-sum-exp.
typedef struct {
  size_t rows, count;
  const void *numbers;
  /// For each row, its maximum, and the shift that is subtracted from its elements: the maximum if it is finite,
  /// otherwise the value at `substitute`. If `shifts` is NULL, the shift is always the maximum.
  void *maxima, *shifts;
  const void *substitute;
  /// For each row, the sum of its exponentials.
  void *sums;
  /// The exponentials, or NULL. If `quotients` is not NULL, a scratch buffer for the exponentials of one row.
  void *exponentials;
  /// The exponentials times the reciprocal of their row's sum, or NULL. They may overwrite `numbers`.
  void *quotients;
  /// Whether quotients are written with non-temporal stores.
  int streams;
} csimd_softmax;

/// Bytes of the scratch buffer of `transpose_streamed`: two blocks of 512 rows, each of 64 elements and a gap of 16.
#define CSIMD_TRANSPOSE_SCRATCH 327680

/// A block of attention weights: rows are queries, columns are keys.
typedef struct {
  size_t rows, keys;
  /// The row stride: a multiple of 16, at least the number of keys.
  size_t stride;
  /// The query of a row may attend to keys below `first_end + row`.
  int64_t first_end;
  /// The factor of the products of queries and keys.
  double scale;
  /// A query may not attend to keys whose mask is 0; NULL for no mask.
  const uint8_t *mask;
  ptrdiff_t mask_row, mask_step;
  /// Values, in the type of the products, that are added to the scaled products; NULL for none.
  const void *added;
  ptrdiff_t added_row, added_step;
  /// Scratch buffer for the random words of a row of weights; NULL without dropout. It has one word for each key,
  /// rounded up to a multiple of 16. A weight is kept if the upper 24 bits of its word are below `bound`. Rows are
  /// `word_row` words apart in the random stream.
  uint32_t *words;
  uint64_t first_word, word_row, seed, counter;
  uint32_t bound;
  /// The factor of the weights that dropout keeps.
  double kept_factor;
  /// The length of an output row, and the row stride.
  size_t width, output_stride;
} csimd_weights;

/// Memory that is read next and should be prefetched: `count` rows of `length` bytes each, `distance` bytes apart.
typedef struct {
  const void *data;
  ptrdiff_t distance;
  size_t count, length;
} csimd_prefetch_block;

/// Panels (groups of adjacent columns) of the right factor of a matrix product: packed, or read in place from rows with
/// a multiple of 16 columns.
typedef struct {
  const void *data;
  /// The distance between panels, in elements.
  size_t distance;
  /// The row stride in a panel; 0 for packed panels.
  size_t row;
  /// The number of rows to skip at the start of a panel.
  size_t first;
} csimd_panels;

/// The raw values of `Recurrent.Kind` in ApusDevice.
enum { CSIMD_CELL_TANH, CSIMD_CELL_RELU, CSIMD_CELL_LSTM, CSIMD_CELL_GRU };

/// One time step of a recurrent layer for one sequence, see `Recurrent`; arrays have `size` elements for each gate.
typedef struct {
  int kind;
  size_t size;
  /// `input` is the product of the input and its weights, plus the bias; `product` is the product of the incoming state
  /// and its weights.
  const void *input, *product;
  /// The bias that is added to the product; NULL for none.
  const void *bias;
  /// The incoming states; `cell` is for an LSTM only.
  const void *state, *cell;
  /// The outgoing states. An outgoing state may overwrite the incoming state.
  void *next_state, *next_cell;
  /// The values that the backward pass needs, or NULL.
  void *kept;
} csimd_cell;

/// The gradient of one time step for one sequence.
typedef struct {
  int kind;
  size_t size;
  /// The values that the forward pass stored for the time step (`kept`), the states before the time step (`state` and
  /// `cell`), and the state after the time step (`next_state`).
  const void *kept, *state, *cell, *next_state;
  /// `product` is the part of the outgoing state's gradient that flows through the matrix product of the next time step;
  /// `carried` is the rest. `gradient` is the gradient of the layer's output at this time step; NULL if there is none.
  const void *product, *gradient;
  /// The part of the states' gradients that bypasses the product. On entry: of the outgoing states; on return: of the
  /// incoming states.
  void *carried, *carried_cell;
  /// The gradient of `input` of `csimd_cell` and, for a GRU, of `product` plus `bias`.
  void *input_gradient, *product_gradient;
} csimd_cell_gradient;

/// The loops of one instruction set.
typedef struct {
  const char *name;
  /// The operations and reducers of each lane (arithmetic type).
  const csimd_row *rows[CSIMD_LANES];
  size_t row_count[CSIMD_LANES];
  const csimd_reducer *reducers[CSIMD_LANES];
  size_t reducer_count[CSIMD_LANES];
  /// `operands[0] ? operands[1] : operands[2]`; the condition is int32.
  csimd_loop select[CSIMD_LANES];
  /// `convert[a][b]` converts the arithmetic type a to b; float to integer truncates and saturates, NaN becomes 0.
  csimd_loop convert[CSIMD_LANES][CSIMD_LANES];
  csimd_load load[CSIMD_DTYPES];
  csimd_store store[CSIMD_DTYPES];
  /// `result[i] = start + i·step`, for int32 and int64.
  void (*count_up[2])(size_t count, void *result, int64_t start, int64_t step);
  /// Words of a Philox4x32-10 stream. `operands[0]` contains their positions, as int32 or int64; the other operands are
  /// seed and counter.
  csimd_loop random[2];
  csimd_scan scan_sum[CSIMD_LANES];
  csimd_scan scan_product[CSIMD_LANES];
  /// Pooling of one plane (`channels` is not used), see `Pooling`; `scratch` has space for two elements for each pixel
  /// of a result row.
  void (*pool_maximum[CSIMD_LANES])(const csimd_windows *windows, const void *input, void *output);
  void (*pool_maximum_gradient[CSIMD_LANES])(
      const csimd_windows *windows, const void *input, const void *gradient, void *result, void *scratch);
  void (*pool_selection[CSIMD_LANES])(
      const csimd_windows *windows, const void *input, const void *values, void *result, void *scratch);
  void (*pool_average[CSIMD_LANES])(
      const csimd_windows *windows, const void *input, int counts_padding, void *output, void *scratch);
  void (*pool_average_gradient[CSIMD_LANES])(
      const csimd_windows *windows, const void *gradient, int counts_padding, void *result, void *scratch);
  /// Copies rows of `count` elements. If `count` is below 16, the gaps between target rows may be overwritten with 0,
  /// and up to 15 elements past the source are read.
  void (*copy_rows)(
      size_t rows, size_t count, const float *source, size_t source_stride, float *target, size_t target_stride);
  /// `target[r·target_stride + c] = source[c·source_stride + r]` for elements of 1, 2, 4 and 8 bytes.
  void (*transpose[4])(
      size_t rows, size_t columns, const void *source, ptrdiff_t source_stride, void *target, ptrdiff_t target_stride);
  /// Like `transpose` for elements of 4 bytes, with non-temporal stores. `scratch`, of CSIMD_TRANSPOSE_SCRATCH bytes,
  /// and each row of the target must begin at a cache line.
  void (*transpose_streamed)(
      size_t rows, size_t columns, const float *source, ptrdiff_t source_stride, float *target, ptrdiff_t target_stride,
      void *scratch);
  /// Copies bytes with non-temporal stores; the caller must issue a fence afterwards.
  void (*stream)(size_t count, const void *source, void *target);
  /// `panel[t·distance + r·width + c] = w[c·column + r·row + offsets[t]]` for each tap t, row r and column c, padded
  /// with zeros from `columns` to `width`.
  void (*pack_taps)(
      size_t columns, size_t width, size_t rows, size_t taps, const ptrdiff_t *offsets, const float *w,
      ptrdiff_t column, ptrdiff_t row, float *panel, size_t distance);
  /// `w[(c·rows + r)·taps + t] = Σ_p sums[p·part + (t·rows + r)·width + c]` over the parts p, for at most 16 columns.
  void (*unpack_taps)(
      size_t columns, size_t rows, size_t taps, size_t parts, size_t part, const float *sums, size_t width, float *w);
  /// Transforms the patches of tiles `first ..< first + count`, counted over all images. The 36 values of a channel of
  /// a tile are stored `distance` elements apart, and tiles `pitch` elements apart.
  void (*winograd_patches)(
      const csimd_winograd *w, size_t first, size_t count, const float *images, float *to, size_t distance,
      size_t pitch);
  /// Transforms products to results; `results` is the start of the row of pixels in which the first tile begins. Rows
  /// of pixels are `line` elements apart, and pixels `pixel` elements apart.
  void (*winograd_results)(
      const csimd_winograd *w, size_t first, size_t count, const float *products, size_t distance, size_t pitch,
      float *results, size_t line, size_t pixel);
  /// Like `winograd_patches`, for the gradients of results.
  void (*winograd_gradients)(
      const csimd_winograd *w, size_t first, size_t count, const float *gradients, float *to, size_t distance,
      size_t pitch);
  /// Transforms weights of 16 columns: the nine weights at `weights[c·column + r·row]` become
  /// `to[position·distance + r·pitch + c]`. With `is_flipped`, the nine weights are read in reverse order.
  void (*winograd_weights)(
      size_t rows, const float *weights, ptrdiff_t column, ptrdiff_t row, int is_flipped, float *to, size_t distance,
      size_t pitch);
  /// Transforms sums of 16 columns to weight gradients, whose rows are nine elements apart.
  void (*winograd_weight_gradients)(
      size_t rows, const float *sums, size_t distance, size_t pitch, float *gradients, ptrdiff_t column);
  /// The maximum number of channels that `plane_multiply` computes at a time: 2, 6 or 8.
  size_t plane_block;
  /// `out[k·stride + p] = Σ_t weights[t·channels + k]·x[p + offsets[t]]` over the taps t, for k < channels and
  /// p < 16·vectors; `channels` is 1 or an even number up to `plane_block`.
  void (*plane_multiply)(
      size_t channels, size_t taps, const float *x, const ptrdiff_t *offsets, const float *weights, float *out,
      size_t stride, size_t vectors);
  /// Adds `y[k·stride + p]·x[p + offsets[t]]` to `sums[(k·taps + t)·16 + p mod 16]` for k < channels, t < taps and
  /// p < 16·vectors.
  void (*plane_correlate)(
      size_t channels, size_t taps, const float *x, const ptrdiff_t *offsets, const float *y, size_t stride,
      size_t vectors, float *sums);
  /// `out[r·out_row + p] = Σ weights[3i + j]·x[r + i + first][p + j − padding]` for i, j < 3, r < rows and p < columns;
  /// `columns` must be at least 16.
  void (*depthwise_multiply)(
      const csimd_depthwise_plane *plane, const float *weights, float *out, size_t out_row, size_t rows,
      size_t columns);
  /// For r < rows and p < columns, adds the products `y[r·y_row + p]·x[(r + i)·x_row + p + j]` to the 16 sums of weight
  /// 3i + j, `sums[(3i + j)·16 + lane]`; `columns` must be at least 16.
  void (*depthwise_correlate)(
      const float *x, size_t x_row, const float *y, size_t y_row, size_t rows, size_t columns, float *sums);
  /// Adds up each group of 16 sums, and stores the total: one of the `count` results.
  void (*fold_sums)(size_t count, const float *sums, float *result);
  /// For int32 and int64.
  csimd_integer_matmul integer_matmul[2];
  /// For float32 and float64.
  void (*softmax_rows[2])(const csimd_softmax *rows);
  /// For float32 and float64: converts products to unnormalized weights, and rescales the sums and the output of the
  /// previous blocks to the new maximum.
  void (*attention_weights[2])(const csimd_weights *block, void *products, void *maxima, void *sums, void *output);
  /// Normalizes the output after the last block, and replaces `maxima` by the log-sum-exps.
  void (*attention_finish[2])(const csimd_weights *block, const void *sums, void *maxima, void *output);
  /// Converts products to weights, and gradients of weights to gradients of products. `logarithms` are the log-sum-exps
  /// of the rows.
  void (*attention_gradients[2])(
      const csimd_weights *block, const void *logarithms, const void *dots, void *products, void *gradients);
  /// `dots[r] = Σ left[r, i]·right[r, i]`
  void (*attention_dots[2])(
      size_t rows, size_t width, const void *left, size_t left_stride, const void *right, size_t right_stride,
      void *dots);
  /// For float32 and float64: the number of columns of a panel.
  size_t panel_width[2];
  /// Packs rows of a[m, k] into slivers (row panels) for `block_multiply`, in the layout [sliver][k][row]. The heights
  /// of slivers differ by at most 1. One of the strides must be 1. Up to 15 elements past the m·k packed elements are
  /// written.
  void (*pack_rows[2])(size_t m, size_t k, const void *a, ptrdiff_t row, ptrdiff_t column, void *slivers);
  /// Packs columns of b[k, n] into panels, [panel][k][column], `distance` elements apart. Zeros pad the last panel to a
  /// multiple of 16. One of the strides must be 1.
  void (*pack_columns[2])(
      size_t n, size_t k, const void *b, ptrdiff_t row, ptrdiff_t column, void *panels, size_t distance);
  /// `c[m, n] = a[m, k]·b[k, n]`, or `c += a·b` with `accumulates`. Each element of `c` is one accumulation chain of
  /// multiply-adds along k, whatever m and n are; the multiply-adds are fused if the instruction set has FMA.
  /// Prefetches `ahead` meanwhile, unless it is NULL.
  void (*block_multiply[2])(
      size_t m, size_t n, size_t k, const void *slivers, const csimd_panels *panels, void *c, size_t c_row,
      int accumulates, const csimd_prefetch_block *ahead);
  /// `c[m, n] = Σ a·b` along lines. `b` consists of panels of `panel_width` columns (16 for a narrow last panel),
  /// `b_panel` elements apart. The row stride of a panel is `b_row`, or its width if `b_row` is 0. Prefetches `ahead`
  /// meanwhile, unless it is NULL.
  void (*lines_multiply[2])(
      size_t m, size_t n, const csimd_lines *lines, const void *a, ptrdiff_t a_row, const void *b, size_t b_row,
      ptrdiff_t b_panel, void *c, ptrdiff_t c_row, int accumulates, const csimd_prefetch_block *ahead);
  /// Like `block_multiply` for n ≤ 16, but reads `a` in place. `a_step` is the stride of `a` along k; one stride of `a`
  /// must be 1. With `is_followed`, the elements that follow `a` along k are prefetched.
  void (*narrow_multiply[2])(
      size_t m, size_t n, size_t k, const void *a, size_t a_row, size_t a_step, const csimd_panels *panels, void *c,
      size_t c_row, int accumulates, int is_followed);
  /// `c[n] = a[k]·b[k, n]`: adds the terms in chains of `depth` along k, and then the sums of the chains. One of b's
  /// strides must be 1. If `prefetches` is set, contiguous columns are prefetched. On Emerald Rapids, whose hardware
  /// prefetches many streams, n = k = 4096 takes 2.25 ms with prefetch instructions and 1.35 ms without them.
  void (*vector_multiply[2])(
      size_t n, size_t k, size_t depth, const void *a, size_t a_step, const void *b, ptrdiff_t row, ptrdiff_t column,
      void *c, int prefetches);
  /// `c[rows, columns] = Σ chains`, added in their order. The row stride of a chain is `row` elements, and chains are
  /// `distance` elements apart.
  void (*chain_sums[2])(
      size_t rows, size_t columns, size_t chains, const void *first, size_t row, size_t distance, void *c,
      size_t c_row);
  /// For float32 and float64: one time step of a recurrent layer.
  void (*cell_forward[2])(const csimd_cell *cell);
  /// For float32 and float64: the gradient of a time step.
  void (*cell_backward[2])(const csimd_cell_gradient *cell);
} csimd_table;

/// Returns the table named `name` ("avx512", "avx2", "baseline"), or, if `name` is NULL, the best table for this
/// machine. Returns NULL if the name is unknown or the machine cannot run the table.
const csimd_table *csimd_choose(const char *name);

/// The loop of an operation on a lane (arithmetic type), or NULL if the operation is not defined for this type.
csimd_loop csimd_find(const csimd_table *table, const char *row, int lane);
/// The loop of a comparison that writes bytes, or NULL.
csimd_loop csimd_find_truths(const csimd_table *table, const char *row, int lane);
const csimd_reducer *csimd_find_reducer(const csimd_table *table, const char *row, int lane);

csimd_loop csimd_find_conversion(const csimd_table *table, int from, int to);
csimd_load csimd_find_load(const csimd_table *table, int dtype);
csimd_store csimd_find_store(const csimd_table *table, int dtype);

/// Computes the indices that stably sort `count` values of the type `lane`. The values are at the start of `workspace`,
/// which has 4·count words of 8 bytes. NaN sorts as the greatest value.
void csimd_sort(int lane, int is_descending, size_t count, uint64_t *workspace, int64_t *result);

/// Writes the windows of an image as a matrix (im2col). Line `tap` contains the values that the tap reads for each
/// pixel of the result's rows `first_row..<last_row`. A row is one position of the two outer axes.
///
/// Lines are `line_stride` elements apart, and elements have 4 or 8 bytes (`bytes`). Pixels outside the image are 0.
/// One element past the image may be read.
void csimd_unfold(
    const csimd_windows *windows, int bytes, const void *image, ptrdiff_t first_row, ptrdiff_t last_row, void *lines,
    ptrdiff_t line_stride);
/// Adds each element of the lines to the pixel from which `csimd_unfold` reads it (col2im); `lane` is the element type.
void csimd_fold(
    const csimd_windows *windows, int lane, const void *lines, ptrdiff_t line_stride, ptrdiff_t first_row,
    ptrdiff_t last_row, void *image);

/// Broadcasts a value of the arithmetic type `lane` to 16 vector lanes.
void csimd_splat(void *result, int lane, double floating, int64_t integer);

#include "csimd_pairs.h"
#include "csimd_program.h"
#include "csimd_threads.h"

#endif
