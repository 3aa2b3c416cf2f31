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
/// Lines that a reduction by columns combines with each other before it takes the result in: the numbers that it goes to
/// are read and written once for all of them. Tasks of products have multiples of so many rows, so that they can leave
/// the same sums.
#define CSIMD_LINES_AT_ONCE 12
/// The terms of a chain of a reduction: see Kernels/reduce.def.
#define CSIMD_CHAIN 16
/// Room for the running value of a reduction: see `csimd_reducer`.
#define CSIMD_STATE_BYTES 1024
/// Lines of memory that can be prefetched while deviations of 64 numbers are taken in.
#define CSIMD_DEVIATION_LINES 2

/// An operand of a loop: with step 1 an array, with step 0 a number repeated over 16 lanes.
typedef struct {
  const void *data;
  size_t step;
} csimd_operand;

/// Prefetches the line 2 KiB behind `data`, which is read now, into the second-level cache. The machine's own
/// prefetching ends with a page, and fetches too few lines for one core to keep the memory busy.
static inline void csimd_prefetch_ahead(const void *data) { __builtin_prefetch((const char *)data + 2048, 0, 2); }

/// Makes what was written past the caches visible ahead of anything written later.
static inline void csimd_fence(void) {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#else
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/// How a loop treats memory that no cache holds.
typedef struct {
  /// Whether the result, at a multiple of 64 bytes, is written past the caches.
  int streams;
  /// Whether the lines behind what is read are prefetched.
  int prefetches_operands;
  /// A line from here on is prefetched with each group of 16 results; NULL for none.
  const char *ahead;
} csimd_flow;

/// `result[i] = f(operands[0][i], …)` for i < count. The result may be one of the operands. `flow` may be NULL.
typedef void (*csimd_loop)(size_t count, void *result, const csimd_operand *operands, const csimd_flow *flow);

/// `result[i] = source[i·stride]` with conversion to the lane of the source's type.
typedef void (*csimd_load)(size_t count, void *result, const void *source, ptrdiff_t stride);
/// `result[i·stride] = source[i]` with conversion from the lane of the result's type, past the caches where it streams
/// and can.
typedef void (*csimd_store)(size_t count, void *result, ptrdiff_t stride, const void *source, int streams);

/// Lines of factors that a product goes through, at two levels: how many there are, and the distances from one to the
/// next in both factors.
typedef struct {
  size_t count[2];
  ptrdiff_t a[2], b[2];
  /// The numbers of a line, and their distance in the first factor.
  size_t k;
  ptrdiff_t a_step;
  /// Rows of each panel of b to skip at its start.
  size_t first;
} csimd_lines;

/// Images with channels last, a multiple of 16 of them, and the 4 × 4 tiles of the results or of what they are computed
/// from. The first tile's patch begins `lead` before the image.
typedef struct {
  size_t height, width, channels, tiles_y, tiles_x;
  ptrdiff_t lead_y, lead_x;
} csimd_winograd;

typedef struct {
  const char *name;
  csimd_loop loop;
  /// Of a test: what it says, a byte each; NULL for others.
  csimd_loop truths;
} csimd_row;

/// One row of Kernels/reduce.def on one lane. A running value takes numbers in groups of 64:
///
///   part[0] part[1] part[2] part[3]   the chain that is being filled: 16 numbers of each group go to each part
///      └───────┴───┬───┴───────┘
///               level[0]              chains of CSIMD_CHAIN groups, combined: at most CSIMD_CHAIN of them
///               level[1]              the same of level[0]
///               level[2]              all that is above
///   groups                            how many were taken
///
/// Parts and levels have 16 lanes. Of argmin and argmax (`is_index`) a running value is the best number of each of 16
/// lanes, with its place.
///
/// Three more rows sum what the numbers become: `sum_difference` a − b, `sum_squared_difference` (a − b)² and
/// `sum_exp_difference` exp(a − b) of the numbers a and the second operand b. They have neither `take_columns` nor
/// `take_lines`; by columns, deviations alone are summed, with `deviation_lines`.
typedef struct {
  const char *name;
  int is_index;
  /// Lines of memory that can be prefetched while 64 numbers are taken in, which lie in a cache.
  int prefetched_lines;
  /// Sets a running value to the identity.
  void (*begin)(void *state);
  /// Adds `count` numbers to the running value; `start` is the index of the first. Prefetches `prefetched_lines` cache
  /// lines for each 64 numbers, from `ahead` on or, where it is NULL, from behind the numbers.
  void (*take)(size_t count, void *state, const csimd_operand *values, int64_t start, const char *ahead);
  /// Takes in another running value of later places.
  void (*merge)(void *state, const void *other);
  /// Writes the result: a number of the lane, or a 64-bit place.
  void (*finish)(const void *state, void *result);
  /// Sets `count` numbers to the identity (0, and in the second array −1 for no place yet, where `is_index`).
  void (*begin_columns)(size_t count, void *numbers, int64_t *places);
  /// `numbers[i] = f(numbers[i], values[i])`; `place` is that of the values, equal for all.
  void (*take_columns)(size_t count, void *numbers, int64_t *places, const csimd_operand *values, int64_t place);
  /// Takes in what `lines` arrays of numbers, so many bytes apart, give one after the other; NULL where `is_index`.
  void (*take_lines)(size_t count, void *numbers, const void *values, ptrdiff_t distance, size_t lines);
  /// Merges columns of later places.
  void (*merge_columns)(size_t count, void *numbers, int64_t *places, const void *other, const int64_t *other_places);
  /// Of `sum_squared_difference`, what it and `sum_difference` do with the same values, at once; else NULL.
  void (*take_deviations)(
      size_t count, void *squares, void *sums, const csimd_operand *values, const char *ahead);
  /// The two results that `begin`, `take_deviations` and `finish` give for one array of numbers; the second operand is a
  /// single number.
  void (*deviation_row)(
      size_t count, const csimd_operand *values, void *square, void *sum, const char *ahead);
  /// `take_deviations` for columns of `lines` arrays of numbers; the second operand is for all of them.
  void (*deviation_lines)(
      size_t count, void *squares, void *sums, const csimd_operand *values, ptrdiff_t distance, size_t lines);
  /// What `begin`, `take` and `finish` give for one array of numbers, without a state in memory where it is short; a second
  /// operand is one number. NULL where `is_index`.
  void (*row)(size_t count, const csimd_operand *values, void *result, const char *ahead);
} csimd_reducer;

/// Lines of numbers that a scan keeps: the levels of a cascade over 2⁶⁰ lines, and two more.
#define CSIMD_SCAN_LINES 17
/// Combines each of `lines` lines of `width` numbers with all before it (after it where reversed). `state` has room for
/// CSIMD_SCAN_LINES lines and goes on from the `taken` lines before: a multiple of CSIMD_CHAIN, 0 at the start.
typedef void (*csimd_scan)(
    size_t lines, size_t width, void *values, int is_reversed, void *state, int64_t taken);
/// `C[m, n] = A[m, k]·B[k, n]` of integers (added to C where it accumulates), with the given distances.
typedef void (*csimd_integer_matmul)(
    size_t m, size_t n, size_t k, const void *a, size_t a_row, size_t a_column, const void *b, size_t b_row,
    size_t b_column, void *c, size_t c_row, int accumulates);

/// The input plane of a 3 × 3 depthwise filter. The first row of results reads rows `first` to `first` + 2 of the plane;
/// rows below 0 or from `rows` on are read from `zeros`. With `padding` 1 a column of zeros surrounds the plane on the left
/// and on the right, and the plane is as wide as the result; with `padding` 0 it is two columns wider.
typedef struct {
  const float *x, *zeros;
  size_t rows, row_stride;
  ptrdiff_t first;
  int padding;
} csimd_depthwise_plane;

/// Windows that slide over an image of `channels` channels; a tap is a channel and a kernel position.
typedef struct {
  ptrdiff_t channels;
  ptrdiff_t input[3], kernel[3], output[3], stride[3], padding[3], dilation[3];
} csimd_windows;

/// Rows of numbers, one after the other, whose exponentials are wanted, with the row's maximum subtracted.
typedef struct {
  size_t rows, count;
  const void *numbers;
  /// Of each row the maximum, and what is subtracted from its numbers: the maximum where it is finite, else the number at
  /// `substitute`. Where `shifts` is NULL, it is always the maximum.
  void *peaks, *shifts;
  const void *substitute;
  /// Of each row the sum of its exponentials.
  void *sums;
  /// The exponentials, or NULL; with `quotients` room for one row of them.
  void *exponentials;
  /// The exponentials times the reciprocal of their row's sum, or NULL. They may lie where the numbers do.
  void *quotients;
  /// Quotients are written past the caches.
  int streams;
} csimd_softmax;

/// Bytes of the room of `transpose_streamed`: two blocks of 512 rows of 64 numbers and a gap of 16.
#define CSIMD_TRANSPOSE_ROOM 327680

/// A block of attention's weights: rows of queries, columns of keys.
typedef struct {
  size_t rows, keys;
  /// The distance of rows: the number of keys, or more, up to the next multiple of 16.
  size_t stride;
  /// Keys below `first_end + row` are open.
  int64_t first_end;
  double scale;
  /// Where 0, a key is not open; NULL for none.
  const uint8_t *mask;
  ptrdiff_t mask_row, mask_step;
  /// Numbers of the lane that are added to the scaled products; NULL for none.
  const void *added;
  ptrdiff_t added_row, added_step;
  /// Room for the words of a row of weights, 72 more than there are keys; NULL where nothing is dropped. A weight is kept
  /// where the upper 24 bits of its word are below `bound`. Rows are `word_row` words apart in the stream.
  uint32_t *words;
  uint64_t first_word, word_row, seed, counter;
  uint32_t bound;
  double kept_factor;
  /// The extent of a row of the output, and the distance of its rows.
  size_t width, output_stride;
} csimd_weights;

/// Memory that is read next and is to be prefetched: `count` rows of `length` bytes each, `distance` bytes apart.
typedef struct {
  const void *data;
  ptrdiff_t distance;
  size_t count, length;
} csimd_prefetch_block;

/// Panels of columns of a factor: packed, or read in place from rows of a multiple of 16 columns.
typedef struct {
  const void *data;
  /// The distance of panels.
  size_t distance;
  /// The distance of rows in a panel; 0 where it is packed.
  size_t row;
  /// The rows to leave out.
  size_t first;
} csimd_panels;

/// The raw values of `Recurrent.Kind` in ApusDevice.
enum { CSIMD_CELL_TANH, CSIMD_CELL_RELU, CSIMD_CELL_LSTM, CSIMD_CELL_GRU };

/// One time of a recurrent layer for one sequence, see `Recurrent`; arrays have `size` numbers for each gate.
typedef struct {
  int kind;
  size_t size;
  const void *input, *product;
  /// Of the product; NULL for none.
  const void *bias;
  /// What is carried here, and on; `cell` of an LSTM alone. Either may be one place.
  const void *state, *cell;
  void *next_state, *next_cell;
  /// What the gradient needs, or NULL.
  void *kept;
} csimd_cell;

/// The gradient of one time for one sequence.
typedef struct {
  int kind;
  size_t size;
  /// What was kept of the time; the states ahead of it, and the one behind it.
  const void *kept, *state, *cell, *next_state;
  /// The gradient of the state: what came through the product of the time behind and past it, and that of the
  /// output, or NULL.
  const void *product, *gradient;
  /// Past the product, on to the time ahead.
  void *carried, *carried_cell;
  /// Of the input; of the biased product, for a GRU.
  void *input_gradient, *product_gradient;
} csimd_cell_gradient;

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
  /// Words of a Philox4x32-10 stream: `operands[0]` are their numbers, of lane int32 or int64, then come seed and
  /// counter.
  csimd_loop random[2];
  csimd_scan scan_sum[CSIMD_LANES];
  csimd_scan scan_product[CSIMD_LANES];
  /// Pooling of one plane (`channels` is not used), see `Pooling`; `room` takes two lanes' numbers for each
  /// pixel of a result's row.
  void (*pool_maximum[CSIMD_LANES])(const csimd_windows *windows, const void *input, void *output);
  void (*pool_maximum_gradient[CSIMD_LANES])(
      const csimd_windows *windows, const void *input, const void *gradient, void *result, void *room);
  void (*pool_selection[CSIMD_LANES])(
      const csimd_windows *windows, const void *input, const void *values, void *result, void *room);
  void (*pool_average[CSIMD_LANES])(
      const csimd_windows *windows, const void *input, int counts_padding, void *output, void *room);
  void (*pool_average_gradient[CSIMD_LANES])(
      const csimd_windows *windows, const void *gradient, int counts_padding, void *result, void *room);
  /// Copies rows of `count` numbers. What lies between rows of fewer than 16 may become 0, and up to 15 numbers
  /// behind their source are read.
  void (*copy_rows)(
      size_t rows, size_t count, const float *source, size_t source_stride, float *target, size_t target_stride);
  /// `target[r·target_stride + c] = source[c·source_stride + r]` of numbers of 1, 2, 4 and 8 bytes.
  void (*transpose[4])(
      size_t rows, size_t columns, const void *source, ptrdiff_t source_stride, void *target,
      ptrdiff_t target_stride);
  /// The same of numbers of 4 bytes, past the caches, where rows of the target begin with lines of a cache.
  /// CSIMD_TRANSPOSE_ROOM bytes of `room` begin with a line too.
  void (*transpose_streamed)(
      size_t rows, size_t columns, const float *source, ptrdiff_t source_stride, float *target,
      ptrdiff_t target_stride, void *room);
  /// Copies bytes past the caches; a fence is to follow.
  void (*stream)(size_t count, const void *source, void *target);
  /// `panel[t·distance + r·width + c] = w[c·column + r·row + places[t]]`, zeros from `columns` on.
  void (*pack_taps)(
      size_t columns, size_t width, size_t rows, size_t taps, const ptrdiff_t *places, const float *w, ptrdiff_t column,
      ptrdiff_t row, float *panel, size_t distance);
  /// `w[(c·rows + r)·taps + t] = Σ_p sums[p·part + (t·rows + r)·width + c]`, for at most 16 columns.
  void (*unpack_taps)(
      size_t columns, size_t rows, size_t taps, size_t parts, size_t part, const float *sums, size_t width, float *w);
  /// Tiles `first ..< first + count` of all images, transformed: the 36 numbers of each channel go `distance` apart,
  /// tiles `pitch`.
  void (*winograd_patches)(
      const csimd_winograd *w, size_t first, size_t count, const float *images, float *to, size_t distance, size_t pitch);
  /// Results of products; `results` is where the line of the first tile begins.
  void (*winograd_results)(
      const csimd_winograd *w, size_t first, size_t count, const float *products, size_t distance, size_t pitch,
      float *results, size_t line, size_t pixel);
  /// As `winograd_patches`, of gradients of results.
  void (*winograd_gradients)(
      const csimd_winograd *w, size_t first, size_t count, const float *gradients, float *to, size_t distance,
      size_t pitch);
  /// Weights of 16 columns: `to[spot·distance + r·pitch + c]` of the nine at `weights[c·column + r·row]`.
  void (*winograd_weights)(
      size_t rows, const float *weights, ptrdiff_t column, ptrdiff_t row, int is_flipped, float *to, size_t distance,
      size_t pitch);
  /// The other way: sums of 16 columns to gradients of weights, rows nine numbers apart.
  void (*winograd_weight_gradients)(
      size_t rows, const float *sums, size_t distance, size_t pitch, float *gradients, ptrdiff_t column);
  /// The greatest number of channels of a tile of `plane_multiply`: 2, 6 or 8.
  size_t plane_block;
  /// `out[k·stride + p] = Σ_t weights[t·channels + k]·x[p + offsets[t]]` for p < 16·vectors; `channels` is 1
  /// or an even number up to `plane_block`.
  void (*plane_multiply)(
      size_t channels, size_t taps, const float *x, const ptrdiff_t *offsets, const float *weights,
      float *out, size_t stride, size_t vectors);
  /// `sums[(k·taps + t)·16 + p mod 16] += Σ_p y[k·stride + p]·x[p + offsets[t]]`
  void (*plane_correlate)(
      size_t channels, size_t taps, const float *x, const ptrdiff_t *offsets, const float *y,
      size_t stride, size_t vectors, float *sums);
  /// `out[r·out_row + p] = Σ weights[3i + j]·x[r + i + first][p + j − padding]` for i, j < 3, r < rows and p < columns, at
  /// least 16 of them.
  void (*depthwise_multiply)(
      const csimd_depthwise_plane *plane, const float *weights, float *out, size_t out_row, size_t rows, size_t columns);
  /// Adds the products `y[r·y_row + p]·x[(r + i)·x_row + p + j]` for r < rows and p < columns, at least 16 of them, to the
  /// 16 sums of weight 3i + j, `sums[(3i + j)·16 + lane]`.
  void (*depthwise_correlate)(
      const float *x, size_t x_row, const float *y, size_t y_row, size_t rows, size_t columns, float *sums);
  /// Folds each group of 16 sums into one number.
  void (*fold_sums)(size_t count, const float *sums, float *result);
  /// For int32 and int64.
  csimd_integer_matmul integer_matmul[2];
  /// For float32 and float64.
  void (*softmax_rows[2])(const csimd_softmax *rows);
  /// For float32 and float64: products become weights, up to a divisor, next to those of the blocks before.
  void (*attention_weights[2])(const csimd_weights *block, void *products, void *peaks, void *sums, void *output);
  /// The end of `attention_weights`: `peaks` become the logarithms of the sums.
  void (*attention_finish[2])(const csimd_weights *block, const void *sums, void *peaks, void *output);
  /// Products become weights, and the weights' gradients the products'.
  void (*attention_gradients[2])(
      const csimd_weights *block, const void *logarithms, const void *dots, void *products, void *gradients);
  /// `dots[r] = Σ left[r, i]·right[r, i]`
  void (*attention_dots[2])(
      size_t rows, size_t width, const void *left, size_t left_stride, const void *right, size_t right_stride,
      void *dots);
  /// For float32 and float64: the columns of a panel.
  size_t panel_width[2];
  /// Rows of a[m, k] in slivers of as equal a height as can be, [sliver][k][row], for `block_multiply`. One of the
  /// distances is 1. Up to 15 numbers behind the m·k are written.
  void (*pack_rows[2])(size_t m, size_t k, const void *a, ptrdiff_t row, ptrdiff_t column, void *slivers);
  /// Columns of b[k, n] in panels, [panel][k][column], `distance` numbers apart. Zeros fill the last one up to the next
  /// 16. One of the distances is 1.
  void (*pack_columns[2])(
      size_t n, size_t k, const void *b, ptrdiff_t row, ptrdiff_t column, void *panels, size_t distance);
  /// `c[m, n] = a[m, k]·b[k, n]`, added to what is there where it accumulates. An element is one chain of fused
  /// multiply-adds along k, whatever m and n are. `ahead` is prefetched meanwhile, unless it is NULL.
  void (*block_multiply[2])(
      size_t m, size_t n, size_t k, const void *slivers, const csimd_panels *panels, void *c, size_t c_row,
      int accumulates, const csimd_prefetch_block *ahead);
  /// `c[m, n] = Σ a·b` along lines; b in panels of `panel_width` columns (16 for a last narrow one) `b_panel` apart, whose
  /// rows are `b_row` apart, or as wide as the panel where that is 0. `ahead` is prefetched meanwhile, unless it is NULL.
  void (*lines_multiply[2])(
      size_t m, size_t n, const csimd_lines *lines, const void *a, ptrdiff_t a_row, const void *b, size_t b_row,
      ptrdiff_t b_panel, void *c, ptrdiff_t c_row, int accumulates, const csimd_prefetch_block *ahead);
  /// As `block_multiply`, with a as it lies, whose numbers along k are `a_step` apart, and n ≤ 16; one of the distances
  /// of a is 1. What follows a along k is prefetched where it is read next.
  void (*narrow_multiply[2])(
      size_t m, size_t n, size_t k, const void *a, size_t a_row, size_t a_step, const csimd_panels *panels, void *c,
      size_t c_row, int accumulates, int is_followed);
  /// `c[n] = a[k]·b[k, n]`: the sum of chains of `depth` along k; one of b's distances is 1. Columns that lie in lines
  /// are prefetched if `prefetches` is set: processors that prefetch many lines themselves are faster without.
  void (*vector_multiply[2])(
      size_t n, size_t k, size_t depth, const void *a, size_t a_step, const void *b, ptrdiff_t row, ptrdiff_t column,
      void *c, int prefetches);
  /// `c[rows, columns] = Σ chains`, added up in their order; rows of a chain are `row` elements apart, chains `distance`.
  void (*chain_sums[2])(
      size_t rows, size_t columns, size_t chains, const void *first, size_t row, size_t distance, void *c, size_t c_row);
  void (*cell_forward[2])(const csimd_cell *cell);
  void (*cell_backward[2])(const csimd_cell_gradient *cell);
} csimd_table;

/// The table named `name` ("avx512", "avx2", "baseline"), or the best of this machine for NULL. NULL is
/// returned where the name is unknown or the machine cannot run it.
const csimd_table *csimd_open(const char *name);

/// The loop of a row on a lane, or NULL.
csimd_loop csimd_find(const csimd_table *table, const char *row, int lane);
/// The loop of a test that gives bytes, or NULL.
csimd_loop csimd_find_truths(const csimd_table *table, const char *row, int lane);
const csimd_reducer *csimd_find_reducer(const csimd_table *table, const char *row, int lane);

csimd_loop csimd_find_conversion(const csimd_table *table, int from, int to);
csimd_load csimd_find_load(const csimd_table *table, int dtype);
csimd_store csimd_find_store(const csimd_table *table, int dtype);

/// The stable order that sorts `count` numbers of a lane, which lie at the start of `workspace`: 4·count
/// words of 8 bytes. NaN is the greatest number.
void csimd_sort(int lane, int is_descending, size_t count, uint64_t *workspace, int64_t *result);

/// The windows of an image as a matrix: line `tap` holds what that tap reads for each pixel of the result's
/// rows `first_row..<last_row` (a row is one position of the two outer axes).
///
/// Fills lines of `line_stride` numbers of `bytes` (4 or 8) bytes; what lies outside the image is 0. One number behind
/// the image may be read.
void csimd_unfold(
    const csimd_windows *windows, int bytes, const void *image, ptrdiff_t first_row, ptrdiff_t last_row,
    void *lines, ptrdiff_t line_stride);
/// Adds the lines to the pixels they were read from; `lane` says of what type they are.
void csimd_fold(
    const csimd_windows *windows, int lane, const void *lines, ptrdiff_t line_stride, ptrdiff_t first_row,
    ptrdiff_t last_row, void *image);

/// Repeats a number of the given lane over 16 lanes.
void csimd_splat(void *result, int lane, double floating, int64_t integer);

#include "csimd_pairs.h"
#include "csimd_program.h"
#include "csimd_threads.h"

#endif
