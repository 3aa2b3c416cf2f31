// The loops of one instruction set. An isa_*.c file includes this file once, inside a `#pragma clang attribute push`
// that sets the target (none for the baseline). Before that, the isa_*.c file defines
//   CSIMD_ISA_NAME     the table's name, a string
//   CSIMD_TABLE        the table's identifier
//   CSIMD_HAS_FMA      0 or 1: whether there are fused multiply-adds
//   CSIMD_HAS_F16C     1 if there are instructions that convert float16, else undefined
//   CSIMD_HAS_AVX512   1 for AVX-512, else undefined
//   CSIMD_REGISTERS    the number of vectors of 16 floats that the registers hold

#include "dialect.h"
#include "access.h"
#include "cascade.h"
#include "windows.h"

// A loop handles whole groups of 16 elements; `run_tail` runs it on padded copies of the remaining elements.
#define TAIL_BYTES 128
__attribute__((noinline)) static void run_tail(
    csimd_loop loop, size_t whole, size_t rest, char *result, size_t result_bytes, const csimd_operand *operands,
    int operand_count, const size_t *operand_bytes) {
  _Alignas(64) char padded[3][TAIL_BYTES];
  _Alignas(64) char output[TAIL_BYTES];
  csimd_operand parts[3];
  for (int i = 0; i < operand_count; i += 1) {
    parts[i] = operands[i];
    if (operands[i].step == 0) continue;
    memset(padded[i], 0, TAIL_BYTES);
    memcpy(padded[i], (const char *)operands[i].data + whole * operand_bytes[i], rest * operand_bytes[i]);
    parts[i].data = padded[i];
  }
  loop(LANES, output, parts, NULL);
  memcpy(result + whole * result_bytes, output, rest * result_bytes);
}

// Defines the loop of an operation: over whole groups, then the tail.
#define DEFINE_LOOP(name, R, R_BYTES, COUNT, BYTES, BODY)                                                      \
  static void name(size_t count, void *result, const csimd_operand *operands, const csimd_hints *hints) {      \
    static const size_t bytes[3] = BYTES;                                                                      \
    /* Read the operands once: the compiler must assume that stores could change them. */                      \
    const char *data[3];                                                                                       \
    size_t step[3];                                                                                            \
    for (int k = 0; k < COUNT; k += 1) {                                                                       \
      data[k] = operands[k].data;                                                                              \
      step[k] = operands[k].step * bytes[k];                                                                   \
    }                                                                                                          \
    size_t whole = count & ~(size_t)(LANES - 1);                                                               \
    if (!hints) {                                                                                              \
      for (size_t i = 0; i < whole; i += LANES) {                                                              \
        R r;                                                                                                   \
        BODY;                                                                                                  \
        STORE(R, (char *)result + i * R_BYTES, r);                                                             \
      }                                                                                                        \
    }                                                                                                          \
    int streams = hints && hints->streams, prefetches_operands = hints && hints->prefetches_operands;          \
    const char *ahead = hints ? hints->ahead : NULL;                                                           \
    for (size_t i = 0; hints && i < whole; i += LANES) {                                                       \
      R r;                                                                                                     \
      BODY;                                                                                                    \
      for (int k = 0; prefetches_operands && k < COUNT; k += 1)                                                \
        for (size_t at = 0; at < LANES * bytes[k]; at += 64) csimd_prefetch_ahead(data[k] + i * step[k] + at); \
      if (ahead) __builtin_prefetch(ahead + 4 * i, 0, 2);                                                      \
      if (streams) STREAM(R, (char *)result + i * R_BYTES, r);                                                 \
      else STORE(R, (char *)result + i * R_BYTES, r);                                                          \
    }                                                                                                          \
    if (whole != count) run_tail(name, whole, count - whole, result, R_BYTES, operands, COUNT, bytes);         \
  }
#define SIZES(a, b, c) {a, b, c}
#define OPERAND(T, index) LOAD(T, data[index] + i * step[index])

#define BYTES_VF 4
#define BYTES_VI 4
#define BYTES_VD 8
#define BYTES_VL 8
#define BYTES_OF(T) PASTE(BYTES_, T)

// Element i of FOLDED(a, k) is element (i + k) mod 16 of a. A fold halves a vector: after a = f(a, FOLDED(a, k)), only
// the elements below k are used.
#define FOLDED(a, k)                                                                                          \
  __builtin_shufflevector(                                                                                    \
      a, a, (0 + k) & 15, (1 + k) & 15, (2 + k) & 15, (3 + k) & 15, (4 + k) & 15, (5 + k) & 15, (6 + k) & 15, \
      (7 + k) & 15, (8 + k) & 15, (9 + k) & 15, (10 + k) & 15, (11 + k) & 15, (12 + k) & 15, (13 + k) & 15,   \
      (14 + k) & 15, (15 + k) & 15)

#include "loops_convert.h"
#include "loops_random.h"
#include "loops_transpose.h"

// MASK_OF converts the result of a comparison to MASK. WIDE_MASK converts a MASK to a mask of 64-bit elements;
// NARROW_MASK converts it back.
#define MASK VI
#define MASK_OF(m) (m)
#define WIDE_MASK(m) __builtin_convertvector(m, VL)
#define NARROW_MASK(m) __builtin_convertvector(m, VI)
#define LANE LANE_F32
#define SCALAR float
#include "lane_loops.h"
#undef LANE
#undef SCALAR
#define LANE LANE_I32
#define SCALAR int32_t
#include "lane_loops.h"
#undef LANE
#undef SCALAR

#undef MASK
#undef MASK_OF
#undef WIDE_MASK
#undef NARROW_MASK
#define MASK VL
#define MASK_OF(m) __builtin_convertvector(m, VL)
#define WIDE_MASK(m) (m)
#define NARROW_MASK(m) (m)
#define LANE LANE_F64
#define SCALAR double
#include "lane_loops.h"
#undef LANE
#undef SCALAR
#define LANE LANE_I64
#define SCALAR int64_t
#include "lane_loops.h"
#undef LANE
#undef SCALAR

#include "loops_integer_matmul.h"
#include "loops_scan.h"

#include "loops_convolution.h"
#include "loops_depthwise.h"
#include "loops_taps.h"
#include "loops_winograd.h"
#include "loops_pooling_pairs.h"
#include "loops_rows.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
const csimd_table CSIMD_TABLE = {
    .name = CSIMD_ISA_NAME,
    .rows = {table_rows_i32, table_rows_i64, table_rows_f32, table_rows_f64},
    .row_count =
        {COUNT_OF(table_rows_i32), COUNT_OF(table_rows_i64), COUNT_OF(table_rows_f32), COUNT_OF(table_rows_f64)},
    .reducers = {table_reducers_i32, table_reducers_i64, table_reducers_f32, table_reducers_f64},
    .reducer_count =
        {COUNT_OF(table_reducers_i32), COUNT_OF(table_reducers_i64), COUNT_OF(table_reducers_f32),
         COUNT_OF(table_reducers_f64)},
    .select = {select_i32, select_i64, select_f32, select_f64},
    .convert =
        {
            {convert_i32_i32, convert_i32_i64, convert_i32_f32, convert_i32_f64},
            {convert_i64_i32, convert_i64_i64, convert_i64_f32, convert_i64_f64},
            {convert_f32_i32, convert_f32_i64, convert_f32_f32, convert_f32_f64},
            {convert_f64_i32, convert_f64_i64, convert_f64_f32, convert_f64_f64},
        },
    .load = {load_u8, load_u8, load_s8, load_s32, load_s64, load_float16, load_bfloat16, load_float32, load_float64},
    .store =
        {store_bool, store_u8, store_s8, store_s32, store_s64, store_float16, store_bfloat16, store_float32,
         store_float64},
    .count_up = {count_up_i32, count_up_i64},
    .random = {random_i32, random_i64},
    .scan_sum = {scan_sum_i32, scan_sum_i64, scan_sum_f32, scan_sum_f64},
    .scan_product = {scan_product_i32, scan_product_i64, scan_product_f32, scan_product_f64},
    .pool_maximum = {pool_maximum_i32, pool_maximum_i64, pool_maximum_any_f32, pool_maximum_f64},
    .pool_maximum_gradient =
        {pool_maximum_gradient_i32, pool_maximum_gradient_i64, pool_maximum_gradient_any_f32,
         pool_maximum_gradient_f64},
    .pool_selection = {pool_selection_i32, pool_selection_i64, pool_selection_f32, pool_selection_f64},
    .pool_average = {pool_average_i32, pool_average_i64, pool_average_f32, pool_average_f64},
    .pool_average_gradient =
        {pool_average_gradient_i32, pool_average_gradient_i64, pool_average_gradient_f32, pool_average_gradient_f64},
    .copy_rows = copy_rows,
    .stream = stream,
    .transpose = {transpose_1, transpose_2, transpose_4, transpose_8},
    .transpose_streamed = transpose_streamed,
    .plane_block = PLANE_BLOCK,
    .plane_multiply = plane_multiply,
    .depthwise_multiply = depthwise_multiply,
    .depthwise_correlate = depthwise_correlate,
    .pack_taps = pack_taps,
    .unpack_taps = unpack_taps,
    .winograd_patches = winograd_patches,
    .winograd_results = winograd_results,
    .winograd_gradients = winograd_gradients,
    .winograd_weights = winograd_weights,
    .winograd_weight_gradients = winograd_weight_gradients,
    .plane_correlate = plane_correlate,
    .fold_sums = fold_sums,
    .integer_matmul = {integer_matmul_i32, integer_matmul_i64},
    .softmax_rows = {softmax_rows_f32, softmax_rows_f64},
    .attention_weights = {attention_weights_f32, attention_weights_f64},
    .attention_finish = {attention_finish_f32, attention_finish_f64},
    .attention_gradients = {attention_gradients_f32, attention_gradients_f64},
    .attention_dots = {attention_dots_f32, attention_dots_f64},
    .panel_width = {panel_width_f32, panel_width_f64},
    .pack_rows = {pack_rows_f32, pack_rows_f64},
    .pack_columns = {pack_columns_f32, pack_columns_f64},
    .block_multiply = {block_multiply_f32, block_multiply_f64},
    .lines_multiply = {lines_multiply_f32, lines_multiply_f64},
    .narrow_multiply = {narrow_multiply_f32, narrow_multiply_f64},
    .vector_multiply = {vector_multiply_f32, vector_multiply_f64},
    .chain_sums = {chain_sums_f32, chain_sums_f64},
    .cell_forward = {cell_forward_f32, cell_forward_f64},
    .cell_backward = {cell_backward_f32, cell_backward_f64},
};
