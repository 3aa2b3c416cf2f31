// Reductions: a kernel (an elementwise program) computes blocks of elements, and reducers accumulate them. A reduction
// by rows computes one result of each reducer from a row of elements. A reduction by columns is explained below.

#include "../../Kernels/prelude/indices.h"
#include "cascade.h"
#include "csimd_program.h"

#include <string.h>

typedef struct {
  const csimd_reduction *reduction;
  char *states;
  csimd_prefetch_range *ahead;
  void *const *results;
  /// The index of the current row, and of its results.
  int64_t position;
} row_context;

static void take_rows(void *context, const csimd_operand *outputs, int64_t start, size_t count) {
  row_context *c = context;
  if (c->reduction->outputs == CSIMD_OUTPUTS_DEVIATIONS) {
    const csimd_reducer *squares = c->reduction->reducers[0];
    const char *ahead = csimd_prefetch_next(c->ahead, (int64_t)count * squares->prefetched_lines / 4);
    squares->take_deviations(count, c->states, c->states + CSIMD_STATE_BYTES, outputs, ahead);
    return;
  }
  for (int i = 0; i < c->reduction->reducer_count; i += 1) {
    const csimd_reducer *reducer = c->reduction->reducers[i];
    int64_t numbers = (int64_t)count * reducer->prefetched_lines / 4;
    const char *ahead = reducer->prefetched_lines ? csimd_prefetch_next(c->ahead, numbers) : NULL;
    const csimd_operand *values = c->reduction->outputs == CSIMD_OUTPUTS_SHARE_OPERANDS ? outputs : &outputs[i];
    reducer->take(count, c->states + i * CSIMD_STATE_BYTES, values, start, ahead);
  }
}

static void begin_row(const row_context *c) {
  for (int i = 0; i < c->reduction->reducer_count; i += 1)
    c->reduction->reducers[i]->begin(c->states + i * CSIMD_STATE_BYTES);
}

static void *row_result(const row_context *c, int reducer) {
  return (char *)c->results[reducer] + c->position * c->reduction->result_bytes[reducer];
}

static void finish_row(const row_context *c) {
  for (int i = 0; i < c->reduction->reducer_count; i += 1)
    c->reduction->reducers[i]->finish(c->states + i * CSIMD_STATE_BYTES, row_result(c, i));
}

/// Reduces a row that consists of one block, if possible with the reducer's function for whole rows.
static void take_whole_row(void *context, const csimd_operand *outputs, int64_t start, size_t count) {
  row_context *c = context;
  const csimd_reduction *reduction = c->reduction;
  const csimd_reducer *reducer = reduction->reducers[0];
  if (outputs[0].step != 1 || reduction->reducer_count > 1 + (reduction->outputs == CSIMD_OUTPUTS_DEVIATIONS) ||
      reducer->row == NULL) {
    begin_row(c);
    take_rows(c, outputs, start, count);
    finish_row(c);
    return;
  }
  int64_t numbers = (int64_t)count * reducer->prefetched_lines / 4;
  const char *ahead = reducer->prefetched_lines ? csimd_prefetch_next(c->ahead, numbers) : NULL;
  if (reduction->outputs == CSIMD_OUTPUTS_DEVIATIONS)
    reducer->deviation_row(count, outputs, row_result(c, 0), row_result(c, 1), ahead);
  else reducer->row(count, outputs, row_result(c, 0), ahead);
}

static void move(const csimd_reduction *reduction, int64_t position, int64_t *shifts) {
  for (int i = 0; i < reduction->kernel->argument_count; i += 1)
    shifts[i] = csimd_position(&reduction->outer[i], position);
}

/// The only argument of a reduction, if it is a contiguous array that one reducer reads in place; otherwise NULL.
static const csimd_argument *plain_argument(const csimd_reduction *reduction) {
  const csimd_kernel *kernel = reduction->kernel;
  const csimd_argument *argument = kernel->arguments;
  if (kernel->argument_count != 1 || kernel->instruction_count > 0 || reduction->reducer_count != 1) return NULL;
  if (argument->kind != CSIMD_TENSOR || !argument->in_place) return NULL;
  return argument->layout.rank == 1 && argument->layout.strides[0] == 1 ? argument : NULL;
}

/// Output number `output` of the kernel as an operand, without running the kernel. The output must be one of the
/// kernel's arguments. If it is a constant, the operand repeats it. If it is an array, the operand begins at element
/// `first` of row `position` or, in a reduction by columns, of line `position`.
static csimd_operand joined_operand(
    const csimd_reduction *reduction, const csimd_frame *frame, int output, int64_t first, int64_t position) {
  int reg = reduction->kernel->outputs[output].reg;
  const csimd_argument *argument = &reduction->kernel->arguments[reg];
  if (argument->kind == CSIMD_CONSTANT) return (csimd_operand){argument->splat, 0};
  int64_t at = argument->layout.offset + csimd_position(&reduction->outer[reg], position) + first;
  return (csimd_operand){(const char *)frame->values[argument->index] + at * csimd_dtype_bytes(argument->dtype), 1};
}

/// Whether, in a reduction by rows, reducers with two operands can read the kernel's arguments without running the
/// kernel. They can if the first operand is an array that is contiguous along a row, and the second operand is one
/// value per row or a constant.
static int takes_arguments(const csimd_reduction *reduction) {
  const csimd_kernel *kernel = reduction->kernel;
  if (reduction->outputs == CSIMD_OUTPUTS_SEPARATE || kernel->instruction_count > 0) return 0;
  for (int i = 0; i < 2; i += 1) {
    const csimd_argument *argument = &kernel->arguments[kernel->outputs[i].reg];
    if (i == 1 && argument->kind == CSIMD_CONSTANT) continue;
    if (argument->kind != CSIMD_TENSOR || !argument->in_place) return 0;
    if (argument->layout.rank != (i == 0) || (i == 0 && argument->layout.strides[0] != 1)) return 0;
  }
  return 1;
}

/// Whether a kernel computes elements `start..<end` in one block.
static int is_one_block(const csimd_kernel *kernel, int64_t start, int64_t end) {
  return end - start <= kernel->block && (kernel->row == 0 || end - start <= kernel->row - start % kernel->row);
}

/// Reduces contiguous rows of one array with one reducer. A short row takes only a few dozen cycles, so the layout of
/// the argument is examined once for all rows.
static void reduce_plain_rows(
    row_context *c, const csimd_argument *plain, const csimd_frame *frame, int64_t last, int64_t start, size_t count,
    int keeps_states) {
  const csimd_reduction *reduction = c->reduction;
  const csimd_reducer *reducer = reduction->reducers[0];
  const csimd_layout *outer = &reduction->outer[0];
  int bytes = csimd_dtype_bytes(plain->dtype);
  int64_t result_bytes = reduction->result_bytes[0], prefetched = (int64_t)count * reducer->prefetched_lines / 4;
  const char *base = (const char *)frame->values[plain->index] + (plain->layout.offset + start) * bytes;
  for (int64_t position = c->position; position < last; position += 1) {
    csimd_operand row = {base + csimd_position(outer, position) * bytes, 1};
    void *result = (char *)c->results[0] + position * result_bytes;
    const char *ahead = reducer->prefetched_lines ? csimd_prefetch_next(c->ahead, prefetched) : NULL;
    if (!keeps_states && reducer->row != NULL) {
      reducer->row(count, &row, result, ahead);
      continue;
    }
    reducer->begin(c->states);
    reducer->take(count, c->states, &row, start, ahead);
    if (!keeps_states) reducer->finish(c->states, result);
  }
}

void csimd_reduce_rows(
    const csimd_reduction *reduction, csimd_frame *frame, int64_t first, int64_t last, int64_t start, int64_t end,
    void *states, void *const *results, int keeps_states) {
  int64_t shifts[CSIMD_MAXIMUM_REGISTERS];
  row_context context = {reduction, states, frame->ahead, results, first};
  const csimd_argument *plain = end > start ? plain_argument(reduction) : NULL;
  if (plain != NULL) {
    reduce_plain_rows(&context, plain, frame, last, start, (size_t)(end - start), keeps_states);
    return;
  }
  // Reducers that can read the arguments themselves skip `csimd_run`, which would repeat its setup for every row.
  int takes_joined = !keeps_states && takes_arguments(reduction);
  int is_one_block_row = !keeps_states && is_one_block(reduction->kernel, start, end);
  frame->shifts = shifts;
  for (; context.position < last; context.position += 1) {
    if (takes_joined) {
      csimd_operand values[2];
      for (int i = 0; i < 2; i += 1)
        values[i] = joined_operand(reduction, frame, i, i == 0 ? start : 0, context.position);
      take_whole_row(&context, values, start, (size_t)(end - start));
      continue;
    }
    move(reduction, context.position, shifts);
    if (is_one_block_row && end > start) {
      csimd_run(reduction->kernel, frame, start, end, take_whole_row, &context);
      continue;
    }
    begin_row(&context);
    csimd_run(reduction->kernel, frame, start, end, take_rows, &context);
    if (!keeps_states) finish_row(&context);
  }
  frame->shifts = NULL;
}

void csimd_merge_rows(
    const csimd_reduction *reduction, void *states, int64_t count, int64_t parts, void *const *results) {
  int64_t bytes = (int64_t)reduction->reducer_count * CSIMD_STATE_BYTES;
  for (int64_t position = 0; position < count; position += 1) {
    char *first = (char *)states + position * parts * bytes;
    for (int i = 0; i < reduction->reducer_count; i += 1) {
      const csimd_reducer *reducer = reduction->reducers[i];
      char *state = first + i * CSIMD_STATE_BYTES;
      for (int64_t span = 1; span < parts; span *= 2)
        for (int64_t part = 0; part + span < parts; part += 2 * span)
          reducer->merge(state + part * bytes, state + (part + span) * bytes);
      reducer->finish(state, (char *)results[i] + position * reduction->result_bytes[i]);
    }
  }
}

// A reduction by columns combines one line after another with the accumulators of all results. A line has the elements
// at one reduced position, one for each result. The accumulators of `width` results are in arrays with at most 8 bytes
// per result. A reducer that returns indices (argmin, argmax) has an array of values and an array of indices. For other
// reducers, array 0 accumulates the current group of at most CSIMD_LINES_AT_ONCE lines, and array 1 + k holds level k
// of the cascade (see Kernels/reduce.def). After each group, array 0 is merged into level 0.

int64_t csimd_column_arrays(int64_t lines) {
  int64_t arrays = 2;
  for (int64_t groups = CEIL_DIVIDE(lines, CSIMD_LINES_AT_ONCE); groups >= CSIMD_CHAIN; groups /= CSIMD_CHAIN)
    arrays += 1;
  return arrays;
}

void csimd_carry_columns(const csimd_reducer *reducer, size_t count, void *levels, ptrdiff_t distance, int64_t groups) {
  for (char *level = levels; groups > 0 && groups % CSIMD_CHAIN == 0; groups /= CSIMD_CHAIN, level += distance) {
    if (groups == CSIMD_CHAIN) reducer->begin_columns(count, level + distance, NULL);
    reducer->merge_columns(count, level + distance, NULL, level, NULL);
    reducer->begin_columns(count, level, NULL);
  }
}

void csimd_total_columns(const csimd_reducer *reducer, size_t count, void *levels, ptrdiff_t distance, int64_t groups) {
  for (char *level = (char *)levels + distance; groups >= CSIMD_CHAIN; groups /= CSIMD_CHAIN, level += distance)
    reducer->merge_columns(count, levels, NULL, level, NULL);
}

typedef struct {
  const csimd_reduction *reduction;
  char *columns;
  int64_t width, arrays, index;
} column_context;

/// The address of result `position` in an array of a reducer.
static char *column(const column_context *c, int reducer, int array, int64_t position) {
  int bytes = c->reduction->reducers[reducer]->is_index && array == 1 ? 8 : c->reduction->number_bytes[reducer];
  return c->columns + 8 * c->width * (c->arrays * reducer + array) + position * bytes;
}

static void take_columns(void *context, const csimd_operand *outputs, int64_t start, size_t count) {
  column_context *c = context;
  for (int i = 0; i < c->reduction->reducer_count; i += 1) {
    const csimd_reducer *reducer = c->reduction->reducers[i];
    int64_t *indices = reducer->is_index ? (int64_t *)column(c, i, 1, start) : NULL;
    reducer->take_columns(count, column(c, i, 0, start), indices, &outputs[i], c->index);
  }
}

/// Ends group number `groups` of lines, unless `groups` is 0: merges array 0 into the levels. Then clears array 0 for
/// the next group.
static void change_lines(const column_context *c, int64_t first, int64_t last, int64_t groups) {
  size_t count = (size_t)(last - first);
  for (int i = 0; i < c->reduction->reducer_count; i += 1) {
    const csimd_reducer *reducer = c->reduction->reducers[i];
    if (reducer->is_index) continue;
    char *lines = column(c, i, 0, first), *levels = column(c, i, 1, first);
    if (groups > 0) {
      reducer->merge_columns(count, levels, NULL, lines, NULL);
      csimd_carry_columns(reducer, count, levels, 8 * c->width, groups);
    }
    reducer->begin_columns(count, lines, NULL);
  }
}

/// Sums deviations (differences of the two operands) and their squares, one group of lines at a time. Returns the
/// number of groups.
static int64_t take_deviations(
    const column_context *c, const csimd_frame *frame, int64_t first, int64_t last, int64_t start, int64_t end) {
  const csimd_reduction *reduction = c->reduction;
  const csimd_reducer *reducer = reduction->reducers[0];
  size_t count = (size_t)(last - first);
  char *squares = column(c, 0, 1, first), *sums = column(c, 1, 1, first);
  ptrdiff_t distance = reduction->outer[reduction->kernel->outputs[0].reg].strides[0] * reduction->number_bytes[0];
  int64_t groups = 0;
  for (int64_t position = start; position < end; position += CSIMD_LINES_AT_ONCE) {
    int64_t some = end - position < CSIMD_LINES_AT_ONCE ? end - position : CSIMD_LINES_AT_ONCE;
    csimd_operand values[2];
    for (int i = 0; i < 2; i += 1) values[i] = joined_operand(reduction, frame, i, first, position);
    reducer->deviation_lines(count, squares, sums, values, distance, (size_t)some);
    groups += 1;
    csimd_carry_columns(reducer, count, squares, 8 * c->width, groups);
    csimd_carry_columns(reducer, count, sums, 8 * c->width, groups);
  }
  return groups;
}

void csimd_reduce_columns(
    const csimd_reduction *reduction, csimd_frame *frame, int64_t first, int64_t last, int64_t start, int64_t end,
    void *columns, int64_t width, int64_t arrays) {
  int64_t shifts[CSIMD_MAXIMUM_REGISTERS];
  column_context context = {reduction, columns, width, arrays, 0};
  size_t count = (size_t)(last - first);
  for (int i = 0; i < reduction->reducer_count; i += 1) {
    const csimd_reducer *reducer = reduction->reducers[i];
    if (reducer->is_index)
      reducer->begin_columns(count, column(&context, i, 0, first), (int64_t *)column(&context, i, 1, first));
    else reducer->begin_columns(count, column(&context, i, 1, first), NULL);
  }
  int64_t groups = 0;
  const csimd_argument *plain = plain_argument(reduction);
  if (reduction->outputs == CSIMD_OUTPUTS_DEVIATIONS) {
    groups = take_deviations(&context, frame, first, last, start, end);
  } else if (plain != NULL && reduction->outer[0].rank == 1 && reduction->reducers[0]->take_lines != NULL) {
    int bytes = csimd_dtype_bytes(plain->dtype);
    int64_t distance = reduction->outer[0].strides[0];
    const char *lines = (const char *)frame->values[plain->index] +
        (plain->layout.offset + reduction->outer[0].offset + first) * bytes;
    char *levels = column(&context, 0, 1, first);
    for (int64_t position = start; position < end; position += CSIMD_LINES_AT_ONCE) {
      int64_t some = end - position < CSIMD_LINES_AT_ONCE ? end - position : CSIMD_LINES_AT_ONCE;
      reduction->reducers[0]->take_lines(
          count, levels, lines + position * distance * bytes, distance * bytes, (size_t)some);
      csimd_carry_columns(reduction->reducers[0], count, levels, 8 * width, groups += 1);
    }
  } else {
    frame->shifts = shifts;
    for (int64_t position = start; position < end; position += 1) {
      if (position == start) change_lines(&context, first, last, 0);
      move(reduction, position, shifts);
      context.index = position;
      csimd_run(reduction->kernel, frame, first, last, take_columns, &context);
      if ((position - start + 1) % CSIMD_LINES_AT_ONCE == 0 || position + 1 == end)
        change_lines(&context, first, last, groups += 1);
    }
    frame->shifts = NULL;
  }
  for (int i = 0; i < reduction->reducer_count; i += 1)
    if (!reduction->reducers[i]->is_index)
      csimd_total_columns(reduction->reducers[i], count, column(&context, i, 1, first), 8 * width, groups);
}

void csimd_merge_columns(
    const csimd_reduction *reduction, void *columns, int64_t parts, int64_t first, int64_t last, int64_t width,
    int64_t arrays, void *const *results) {
  column_context context = {reduction, columns, width, arrays, 0};
  size_t count = (size_t)(last - first);
  int64_t stride = 8 * width * arrays * reduction->reducer_count;
  for (int i = 0; i < reduction->reducer_count; i += 1) {
    const csimd_reducer *reducer = reduction->reducers[i];
    int64_t bytes = reduction->number_bytes[i];
    char *numbers = column(&context, i, reducer->is_index ? 0 : 1, first);
    char *indices = reducer->is_index ? column(&context, i, 1, first) : NULL;
    for (int64_t span = 1; span < parts; span *= 2)
      for (int64_t part = 0; part + span < parts; part += 2 * span) {
        int64_t to = part * stride, from = (part + span) * stride;
        reducer->merge_columns(
            count, numbers + to, indices ? (int64_t *)(indices + to) : NULL, numbers + from,
            indices ? (const int64_t *)(indices + from) : NULL);
      }
    if (!reducer->is_index) {
      memcpy((char *)results[i] + first * bytes, numbers, count * (size_t)bytes);
      continue;
    }
    int64_t *result = (int64_t *)results[i] + first;
    for (size_t k = 0; k < count; k += 1) result[k] = ((int64_t *)indices)[k] < 0 ? 0 : ((int64_t *)indices)[k];
  }
}
