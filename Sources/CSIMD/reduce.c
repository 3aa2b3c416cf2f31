// Reductions: programs whose blocks go to running values.

#include "csimd_program.h"

#include <string.h>

typedef struct {
  const csimd_reduction *reduction;
  char *states;
  csimd_ahead *ahead;
} row_context;

static void take_rows(void *context, const csimd_operand *outputs, int64_t start, size_t count) {
  row_context *c = context;
  for (int i = 0; i < c->reduction->reducer_count; i += 1) {
    const csimd_reducer *reducer = c->reduction->reducers[i];
    const char *ahead = reducer->asked ? csimd_next_line(c->ahead, (int64_t)count * reducer->asked / 4) : NULL;
    reducer->take(count, c->states + i * CSIMD_STATE_BYTES, &outputs[i], start, ahead);
  }
}

static void move(const csimd_reduction *reduction, int64_t position, int64_t *shifts) {
  for (int i = 0; i < reduction->kernel->argument_count; i += 1)
    shifts[i] = csimd_position(&reduction->outer[i], position);
}

/// The one array whose numbers a reduction takes as they lie side by side, or NULL.
static const csimd_argument *plain_argument(const csimd_reduction *reduction) {
  const csimd_kernel *kernel = reduction->kernel;
  const csimd_argument *argument = kernel->arguments;
  if (kernel->argument_count != 1 || kernel->instruction_count > 0 || reduction->reducer_count != 1) return NULL;
  if (argument->kind != CSIMD_TENSOR || !argument->in_place) return NULL;
  return argument->layout.rank == 1 && argument->layout.strides[0] == 1 ? argument : NULL;
}

void csimd_reduce_rows(
    const csimd_reduction *reduction, csimd_frame *frame, int64_t first, int64_t last, int64_t start,
    int64_t end, void *states_memory, void *const *results, int keeps_states) {
  int64_t shifts[CSIMD_MAXIMUM_REGISTERS];
  char *states = states_memory;
  row_context context = {reduction, states, frame->ahead};
  const csimd_argument *plain = plain_argument(reduction);
  if (plain != NULL && end > start) {
    int bytes = csimd_dtype_bytes(plain->dtype);
    const char *base = (const char *)frame->values[plain->index] + (plain->layout.offset + start) * bytes;
    const csimd_reducer *reducer = reduction->reducers[0];
    for (int64_t position = first; position < last; position += 1) {
      csimd_operand row = {base + csimd_position(&reduction->outer[0], position) * bytes, 1};
      reducer->begin(states);
      reducer->take((size_t)(end - start), states, &row, start, NULL);
      if (!keeps_states) reducer->finish(states, (char *)results[0] + position * reduction->result_bytes[0]);
    }
    return;
  }
  frame->shifts = shifts;
  for (int64_t position = first; position < last; position += 1) {
    move(reduction, position, shifts);
    for (int i = 0; i < reduction->reducer_count; i += 1)
      reduction->reducers[i]->begin(states + i * CSIMD_STATE_BYTES);
    csimd_run(reduction->kernel, frame, start, end, take_rows, &context);
    if (keeps_states) continue;
    for (int i = 0; i < reduction->reducer_count; i += 1)
      reduction->reducers[i]->finish(
          states + i * CSIMD_STATE_BYTES, (char *)results[i] + position * reduction->result_bytes[i]);
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
      for (int64_t part = 1; part < parts; part += 1) reducer->merge(state, state + part * bytes);
      reducer->finish(state, (char *)results[i] + position * reduction->result_bytes[i]);
    }
  }
}

// Columns of `width` results: for each reducer the numbers, 8 bytes apart at most, then the places.
static char *column_numbers(char *columns, int64_t width, int reducer) { return columns + 16 * width * reducer; }
static int64_t *column_places(char *columns, int64_t width, int reducer) {
  return (int64_t *)(columns + 16 * width * reducer + 8 * width);
}

// What lines give that are combined with each other first: reductions to numbers have no places.
static char *column_lines(char *columns, int64_t width, int reducer) {
  return (char *)column_places(columns, width, reducer);
}

typedef struct {
  const csimd_reduction *reduction;
  char *columns;
  int64_t width, place;
} column_context;

static void take_columns(void *context, const csimd_operand *outputs, int64_t start, size_t count) {
  column_context *c = context;
  for (int i = 0; i < c->reduction->reducer_count; i += 1) {
    const csimd_reducer *reducer = c->reduction->reducers[i];
    int64_t *places = reducer->is_index ? column_places(c->columns, c->width, i) + start : NULL;
    char *numbers = (places ? column_numbers : column_lines)(c->columns, c->width, i);
    reducer->take_columns(
        count, numbers + start * c->reduction->number_bytes[i], places, &outputs[i], c->place);
  }
}

/// Before the first of lines that are combined with each other, and behind the last.
static void change_lines(const column_context *c, int64_t first, int64_t last, int is_end) {
  for (int i = 0; i < c->reduction->reducer_count; i += 1) {
    const csimd_reducer *reducer = c->reduction->reducers[i];
    if (reducer->is_index) continue;
    int64_t at = first * c->reduction->number_bytes[i];
    char *lines = column_lines(c->columns, c->width, i) + at;
    size_t count = (size_t)(last - first);
    if (is_end) reducer->merge_columns(count, column_numbers(c->columns, c->width, i) + at, NULL, lines, NULL);
    else reducer->begin_columns(count, lines, NULL);
  }
}

void csimd_reduce_columns(
    const csimd_reduction *reduction, csimd_frame *frame, int64_t first, int64_t last, int64_t start,
    int64_t end, void *columns, int64_t width) {
  int64_t shifts[CSIMD_MAXIMUM_REGISTERS];
  column_context context = {reduction, columns, width, 0};
  frame->shifts = shifts;
  for (int i = 0; i < reduction->reducer_count; i += 1)
    reduction->reducers[i]->begin_columns(
        (size_t)(last - first), column_numbers(columns, width, i) + first * reduction->number_bytes[i],
        column_places(columns, width, i) + first);
  const csimd_argument *plain = plain_argument(reduction);
  if (plain != NULL && reduction->outer[0].rank == 1 && reduction->reducers[0]->take_lines != NULL) {
    frame->shifts = NULL;
    int bytes = csimd_dtype_bytes(plain->dtype);
    int64_t distance = reduction->outer[0].strides[0];
    const char *lines = (const char *)frame->values[plain->index]
        + (plain->layout.offset + reduction->outer[0].offset + first) * bytes;
    for (int64_t position = start; position < end; position += CSIMD_LINES_AT_ONCE) {
      int64_t count = end - position < CSIMD_LINES_AT_ONCE ? end - position : CSIMD_LINES_AT_ONCE;
      reduction->reducers[0]->take_lines(
          (size_t)(last - first), column_numbers(columns, width, 0) + first * reduction->number_bytes[0],
          lines + position * distance * bytes, distance * bytes, (size_t)count);
    }
    return;
  }
  for (int64_t position = start; position < end; position += 1) {
    if ((position - start) % CSIMD_LINES_AT_ONCE == 0) change_lines(&context, first, last, 0);
    move(reduction, position, shifts);
    context.place = position;
    csimd_run(reduction->kernel, frame, first, last, take_columns, &context);
    if ((position - start + 1) % CSIMD_LINES_AT_ONCE == 0 || position + 1 == end)
      change_lines(&context, first, last, 1);
  }
  frame->shifts = NULL;
}

void csimd_merge_columns(
    const csimd_reduction *reduction, void *columns, int64_t stride, int64_t parts, int64_t first,
    int64_t last, int64_t width, void *const *results) {
  size_t count = (size_t)(last - first);
  for (int i = 0; i < reduction->reducer_count; i += 1) {
    const csimd_reducer *reducer = reduction->reducers[i];
    int64_t bytes = reduction->number_bytes[i];
    char *numbers = column_numbers(columns, width, i) + first * bytes;
    int64_t *places = column_places(columns, width, i) + first;
    for (int64_t part = 1; part < parts; part += 1)
      reducer->merge_columns(
          count, numbers, places, numbers + part * stride,
          (const int64_t *)((const char *)places + part * stride));
    if (!reducer->is_index) {
      memcpy((char *)results[i] + first * bytes, numbers, count * (size_t)bytes);
      continue;
    }
    int64_t *result = (int64_t *)results[i] + first;
    for (size_t k = 0; k < count; k += 1) result[k] = places[k] < 0 ? 0 : places[k];
  }
}
