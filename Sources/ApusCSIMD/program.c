#include "csimd_program.h"

#include <string.h>

int csimd_lane_bytes(int lane) { return lane == CSIMD_I32 || lane == CSIMD_F32 ? 4 : 8; }

int csimd_dtype_bytes(int dtype) {
  static const int bytes[CSIMD_DTYPES] = {1, 1, 1, 4, 8, 2, 2, 4, 8};
  return bytes[dtype];
}

static int is_stored_as_lane(int dtype) { return dtype >= CSIMD_FLOAT32 || dtype == CSIMD_S32 || dtype == CSIMD_S64; }

int64_t csimd_position(const csimd_layout *layout, int64_t index) {
  int64_t position = layout->offset;
  for (int axis = layout->rank - 1; axis > 0 && index; axis -= 1) {
    int64_t quotient = index / layout->extents[axis];
    position += (index - quotient * layout->extents[axis]) * layout->strides[axis];
    index = quotient;
  }
  return layout->rank ? position + index * layout->strides[0] : position;
}

/// A run of `count` equally spaced elements, the first at index `position` of an array.
typedef struct {
  int64_t position, stride, count;
} run_of;

static run_of run_at(const csimd_layout *layout, int64_t start, int64_t count) {
  run_of run = {layout->offset, 0, count};
  if (layout->rank == 0) return run;
  int inner = layout->rank - 1;
  run.stride = layout->strides[inner];
  if (inner == 0) {
    run.position += start * run.stride;
    return run;
  }
  int64_t row = start / layout->extents[inner];
  int64_t column = start - row * layout->extents[inner];
  run.position += column * run.stride;
  for (int axis = inner - 1; axis > 0 && row; axis -= 1) {
    int64_t quotient = row / layout->extents[axis];
    run.position += (row - quotient * layout->extents[axis]) * layout->strides[axis];
    row = quotient;
  }
  run.position += row * layout->strides[0];
  int64_t rest = layout->extents[inner] - column;
  if (rest < run.count) run.count = rest;
  return run;
}

/// Copies elements whose stored type is the type of the arithmetic (the lane). Runs are often short, so this function
/// copies them itself instead of calling a function of `kernel->table`.
static void copy_run(char *target, const char *source, int64_t count, int64_t stride, int bytes) {
  if (stride == 1) {
    memcpy(target, source, (size_t)(count * bytes));
  } else if (bytes == 4) {
    const uint32_t *s = (const uint32_t *)source;
    uint32_t *t = (uint32_t *)target;
    if (stride == 0) {
      uint32_t x = *s;
      for (int64_t i = 0; i < count; i += 1) t[i] = x;
    } else {
      for (int64_t i = 0; i < count; i += 1) t[i] = s[i * stride];
    }
  } else {
    const uint64_t *s = (const uint64_t *)source;
    uint64_t *t = (uint64_t *)target;
    for (int64_t i = 0; i < count; i += 1) t[i] = s[i * stride];
  }
}

static void load_run(
    const csimd_kernel *kernel, const csimd_argument *argument, const char *base, const run_of *run, char *target) {
  if (argument->kind == CSIMD_INDEX) {
    kernel->table->count_up[argument->lane == CSIMD_I64]((size_t)run->count, target, run->position, run->stride);
    return;
  }
  int bytes = csimd_dtype_bytes(argument->dtype);
  const char *source = base + run->position * bytes;
  if (is_stored_as_lane(argument->dtype)) {
    copy_run(target, source, run->count, run->stride, bytes);
  } else {
    kernel->table->load[argument->dtype]((size_t)run->count, target, source, run->stride);
  }
}

/// Reads a register with two loads. A register consists of the address of a block of elements and the step between
/// them, 0 if they are all the same. The two fields are stored separately, so store forwarding would fail for a single
/// load of both fields. Such a load would wait until all earlier stores have left the core's store buffer, and these
/// include the whole block that the last loop wrote.
static csimd_operand read_register(const csimd_operand *reg) {
  return (csimd_operand){*(const void *const volatile *)&reg->data, *(const volatile size_t *)&reg->step};
}

/// Points a register at `count` elements of an argument: in the argument's array if possible, otherwise in a workspace
/// slot, which this function fills with the elements.
static void resolve(
    const csimd_kernel *kernel, const csimd_frame *frame, int number, int64_t start, int64_t count,
    csimd_operand *reg) {
  const csimd_argument *argument = &kernel->arguments[number];
  int bytes = csimd_lane_bytes(argument->lane);
  if (argument->kind == CSIMD_CORE) {
    reg->data = (const char *)frame->cores[argument->index] + (start - frame->core_start) * bytes;
    reg->step = 1;
    return;
  }
  const char *base = argument->kind == CSIMD_TENSOR ? frame->values[argument->index] : NULL;
  int64_t shift = frame->shifts ? frame->shifts[number] : 0;
  char *slot = frame->workspace + CSIMD_FRAME_BYTES + argument->slot;
  run_of run = run_at(&argument->layout, start, count);
  run.position += shift;
  reg->data = slot;
  reg->step = 1;
  if (run.count == count) {
    if (run.stride == 1 && argument->in_place) {
      reg->data = base + run.position * bytes;
      return;
    }
    if (run.stride == 0) {
      run.count = 16;
      reg->step = 0;
    }
    load_run(kernel, argument, base, &run, slot);
    return;
  }
  for (;;) {
    load_run(kernel, argument, base, &run, slot);
    slot += run.count * bytes;
    start += run.count;
    count -= run.count;
    if (count == 0) return;
    run = run_at(&argument->layout, start, count);
    run.position += shift;
  }
}

static void store_output(
    const csimd_kernel *kernel, const csimd_frame *frame, const csimd_output *output, csimd_operand source,
    int64_t start, int64_t count) {
  int bytes = csimd_dtype_bytes(output->dtype);
  int lane_bytes = csimd_lane_bytes(output->lane);
  const char *data = source.data;
  if (source.step == 0) {
    char *slot = frame->workspace + CSIMD_FRAME_BYTES + output->slot;
    copy_run(slot, data, count, 0, lane_bytes);
    data = slot;
  }
  char *base = frame->values[output->value];
  while (count > 0) {
    run_of run = run_at(&output->layout, start, count);
    if (output->layout.rank == 0) run.stride = 1;
    char *target = base + run.position * bytes;
    if (run.stride == 1 && is_stored_as_lane(output->dtype)) {
      if (output->streams) kernel->table->stream((size_t)(run.count * bytes), data, target);
      else memcpy(target, data, (size_t)(run.count * bytes));
    } else {
      kernel->table->store[output->dtype]((size_t)run.count, target, run.stride, data, output->streams);
    }
    data += run.count * lane_bytes;
    start += run.count;
    count -= run.count;
  }
}

/// Sets the registers of uniform arguments, which have one value for all elements, and runs the instructions whose
/// operands are all uniform.
static void run_uniform(const csimd_kernel *kernel, const csimd_frame *frame, csimd_operand *registers) {
  for (int i = 0; i < kernel->argument_count; i += 1) {
    const csimd_argument *argument = &kernel->arguments[i];
    registers[i].step = 0;
    if (argument->kind == CSIMD_SCALAR) registers[i].data = frame->scalars + argument->index * CSIMD_SPLAT_BYTES;
    if (argument->kind == CSIMD_CONSTANT) registers[i].data = argument->splat;
    if (argument->kind == CSIMD_TENSOR && argument->layout.rank == 0) resolve(kernel, frame, i, 0, 16, &registers[i]);
  }
  for (int i = 0; i < kernel->instruction_count; i += 1) {
    const csimd_instruction *instruction = &kernel->instructions[i];
    if (!instruction->is_uniform) continue;
    csimd_operand operands[3];
    for (int k = 0; k < instruction->operand_count; k += 1)
      operands[k] = read_register(&registers[instruction->operands[k]]);
    char *slot = frame->workspace + CSIMD_FRAME_BYTES + instruction->slot;
    instruction->loop(16, slot, operands, NULL);
    registers[kernel->argument_count + i] = (csimd_operand){slot, 0};
  }
}

/// The address of an array's next block, which is prefetched while the current block is computed.
static const char *next_block(const csimd_kernel *kernel, const csimd_operand *registers, int argument, int64_t count) {
  if (argument < 0 || registers[argument].step == 0) return NULL;
  return (const char *)registers[argument].data + count * csimd_lane_bytes(kernel->arguments[argument].lane);
}

const char *csimd_prefetch_next(csimd_prefetch_range *ahead, int64_t count) {
  for (; ahead && ahead->end; ahead += 1) {
    if (ahead->next >= ahead->end) continue;
    const char *line = ahead->next;
    ahead->next += 4 * count;
    return line;
  }
  return NULL;
}

/// Runs the instructions of a block. With `writes_outputs`, an instruction with an `output` writes its result directly
/// to the output's array.
static void run_instructions(
    const csimd_kernel *kernel, const csimd_frame *frame, csimd_operand *registers, int64_t start, int64_t count,
    int writes_outputs) {
  for (int i = 0; i < kernel->instruction_count; i += 1) {
    const csimd_instruction *instruction = &kernel->instructions[i];
    if (instruction->is_uniform) continue;
    csimd_hints hints = {0, kernel->is_large && instruction->prefetches_operands, NULL};
    if (kernel->is_large) hints.ahead = next_block(kernel, registers, instruction->prefetched_argument, count);
    else if (instruction->is_long) hints.ahead = csimd_prefetch_next(frame->ahead, count);
    csimd_operand operands[3];
    for (int k = 0; k < instruction->operand_count; k += 1)
      operands[k] = read_register(&registers[instruction->operands[k]]);
    char *target = frame->workspace + CSIMD_FRAME_BYTES + instruction->slot;
    csimd_loop loop = instruction->loop;
    if (writes_outputs && instruction->output >= 0) {
      const csimd_output *output = &kernel->outputs[instruction->output];
      target = (char *)frame->values[output->value] +
          (output->layout.offset + start) * csimd_dtype_bytes(output->dtype);
      if (instruction->truths) loop = instruction->truths;
      hints.streams = output->streams && (uintptr_t)target % 64 == 0;
    }
    loop((size_t)count, target, operands, hints.streams || hints.prefetches_operands || hints.ahead ? &hints : NULL);
    registers[kernel->argument_count + i] = (csimd_operand){target, 1};
  }
}

static void run_block(
    const csimd_kernel *kernel, const csimd_frame *frame, csimd_operand *registers, int64_t start, int64_t count) {
  for (int i = 0; i < kernel->argument_count; i += 1) {
    const csimd_argument *argument = &kernel->arguments[i];
    if (argument->kind == CSIMD_SCALAR || argument->kind == CSIMD_CONSTANT) continue;
    if (argument->kind == CSIMD_TENSOR && argument->layout.rank == 0) continue;
    resolve(kernel, frame, i, start, count, &registers[i]);
  }
  run_instructions(kernel, frame, registers, start, count, 1);
}

// ---- Flat kernels

/// An instruction of a flat kernel (see `is_flat`). After each block, the addresses in `data`, `target` and
/// `hints.ahead` advance by the length of the block times `data_bytes`, `target_bytes` and `ahead_bytes`. These factors
/// are the element size for addresses in arrays, and 0 for addresses in registers.
typedef struct {
  csimd_loop loop;
  int operand_count, prefetches_ranges;
  const char *data[3];
  size_t steps[3];
  char *target;
  csimd_hints hints;
  int data_bytes[3], target_bytes, ahead_bytes;
} flat_instruction;

/// The prefetch distance and the block lengths, in elements, of flat kernels whose arrays fit into no cache. With short
/// blocks, three kinds of loops alternate so quickly that the memory is hardly ever idle: loops that read arrays, loops
/// that compute in the cache, and loops that write arrays. Kernels with many instructions per array use longer blocks
/// to save calls.
enum { FLAT_AHEAD = 1024, FLAT_BLOCK = 128, LONG_FLAT_BLOCK = 512 };

static int64_t flat_block(const csimd_kernel *kernel, int instruction_count, int array_count) {
  if (!kernel->is_large || instruction_count < 2) return kernel->block;
  return instruction_count <= 2 * array_count ? FLAT_BLOCK : LONG_FLAT_BLOCK;
}

static void set_flat(
    const csimd_kernel *kernel, const csimd_frame *frame, csimd_operand *registers, int64_t start,
    const csimd_instruction *instruction, flat_instruction *flat) {
  *flat = (flat_instruction){.loop = instruction->loop, .operand_count = instruction->operand_count};
  for (int k = 0; k < instruction->operand_count; k += 1) {
    int reg = instruction->operands[k], number = reg - kernel->argument_count;
    flat->data[k] = registers[reg].data;
    flat->steps[k] = registers[reg].step;
    if (flat->steps[k] == 0) continue;
    if (number < 0) flat->data_bytes[k] = csimd_lane_bytes(kernel->arguments[reg].lane);
    else if (kernel->instructions[number].output >= 0)
      flat->data_bytes[k] = csimd_dtype_bytes(kernel->outputs[kernel->instructions[number].output].dtype);
  }
  flat->target = frame->workspace + CSIMD_FRAME_BYTES + instruction->slot;
  if (instruction->output >= 0) {
    const csimd_output *output = &kernel->outputs[instruction->output];
    flat->target_bytes = csimd_dtype_bytes(output->dtype);
    flat->target = (char *)frame->values[output->value] + (output->layout.offset + start) * flat->target_bytes;
    if (instruction->truths) flat->loop = instruction->truths;
    flat->hints.streams = output->streams && (uintptr_t)flat->target % 64 == 0;
  }
  flat->hints.prefetches_operands = kernel->is_large && instruction->prefetches_operands;
  flat->prefetches_ranges = !kernel->is_large && instruction->is_long;
  if (kernel->is_large && instruction->prefetched_argument >= 0) {
    flat->ahead_bytes = csimd_lane_bytes(kernel->arguments[instruction->prefetched_argument].lane);
    flat->hints.ahead = (const char *)registers[instruction->prefetched_argument].data + FLAT_AHEAD * flat->ahead_bytes;
  }
}

static void run_flat(
    const csimd_kernel *kernel, const csimd_frame *frame, csimd_operand *registers, int64_t start, int64_t end) {
  flat_instruction flat[CSIMD_FLAT_INSTRUCTIONS];
  int count = 0, array_count = kernel->output_count;
  for (int i = 0; i < kernel->argument_count; i += 1) {
    const csimd_argument *argument = &kernel->arguments[i];
    int is_array = argument->kind == CSIMD_CORE || (argument->kind == CSIMD_TENSOR && argument->layout.rank > 0);
    if (is_array) resolve(kernel, frame, i, start, end - start, &registers[i]);
    array_count += is_array;
  }
  for (int i = 0; i < kernel->instruction_count; i += 1) {
    if (kernel->instructions[i].is_uniform) continue;
    set_flat(kernel, frame, registers, start, &kernel->instructions[i], &flat[count]);
    registers[kernel->argument_count + i] = (csimd_operand){flat[count].target, 1};
    count += 1;
  }
  int64_t block = flat_block(kernel, count, array_count);
  for (int64_t at = start; at < end; at += block) {
    int64_t size = end - at < block ? end - at : block;
    for (flat_instruction *f = flat; f < flat + count; f += 1) {
      csimd_operand operands[3];
      for (int k = 0; k < f->operand_count; k += 1) {
        operands[k] = (csimd_operand){f->data[k], f->steps[k]};
        f->data[k] += size * f->data_bytes[k];
      }
      if (f->prefetches_ranges) f->hints.ahead = csimd_prefetch_next(frame->ahead, size);
      int has_hints = f->hints.streams || f->hints.prefetches_operands || f->hints.ahead;
      f->loop((size_t)size, f->target, operands, has_hints ? &f->hints : NULL);
      f->target += size * f->target_bytes;
      if (f->ahead_bytes) f->hints.ahead += size * f->ahead_bytes;
    }
  }
}

/// Orders non-temporal stores before the stores that notify other threads.
static void finish_streams(const csimd_kernel *kernel) {
  for (int i = 0; i < kernel->output_count; i += 1) {
    if (!kernel->outputs[i].streams) continue;
    csimd_fence();
    return;
  }
}

void csimd_run(
    const csimd_kernel *kernel, const csimd_frame *frame, int64_t start, int64_t end, csimd_sink sink, void *context) {
  csimd_operand *registers = (csimd_operand *)frame->workspace;
  csimd_operand results[16];
  if (start >= end) return;
  run_uniform(kernel, frame, registers);
  if (kernel->is_flat && !sink) {
    run_flat(kernel, frame, registers, start, end);
    start = end;
  }
  while (start < end) {
    int64_t count = end - start < kernel->block ? end - start : kernel->block;
    if (kernel->row) {
      int64_t rest = kernel->row - start % kernel->row;
      if (rest < count) count = rest;
    }
    run_block(kernel, frame, registers, start, count);
    for (int i = 0; i < kernel->output_count; i += 1) {
      const csimd_output *output = &kernel->outputs[i];
      if (sink) {
        results[i] = read_register(&registers[output->reg]);
      } else if (!output->is_direct) {
        store_output(kernel, frame, output, read_register(&registers[output->reg]), start, count);
      }
    }
    if (sink) sink(context, results, start, (size_t)count);
    start += count;
  }
  finish_streams(kernel);
}

// ---- Rows of a tile, a rectangle of the domain

/// Loads a range of a tile's rows by transposition and returns 1, if the elements of a column are adjacent in the array
/// and need no conversion. Otherwise returns 0; also for a single row or column.
static int transpose_rows(
    const csimd_kernel *kernel, const csimd_argument *argument, const char *base, const csimd_tile *tile, int64_t first,
    int64_t rows, char *slot) {
  if (argument->kind != CSIMD_TENSOR || !is_stored_as_lane(argument->dtype) || rows < 2 || tile->columns < 2) return 0;
  int64_t start = tile->start + first * tile->width;
  int64_t position = csimd_position(&argument->layout, start);
  int64_t step = csimd_position(&argument->layout, start + 1) - position;
  if (step <= 1 || csimd_position(&argument->layout, start + tile->width) - position != 1) return 0;
  int bytes = csimd_lane_bytes(argument->lane);
  kernel->table->transpose[bytes == 4 ? 2 : 3](
      (size_t)rows, (size_t)tile->columns, base + position * bytes, step, slot, tile->columns);
  return 1;
}

/// Fills a register with the elements of a range of a tile's rows, contiguously.
static void gather_rows(
    const csimd_kernel *kernel, const csimd_frame *frame, int number, const csimd_tile *tile, int64_t first,
    int64_t rows, csimd_operand *reg) {
  const csimd_argument *argument = &kernel->arguments[number];
  int bytes = csimd_lane_bytes(argument->lane);
  char *slot = frame->workspace + CSIMD_FRAME_BYTES + argument->slot;
  reg->step = 1;
  if (argument->kind == CSIMD_CORE) {
    const char *core = (const char *)frame->cores[argument->index] + first * tile->leading * bytes;
    reg->data = core;
    if (tile->leading == tile->columns) return;
    reg->data = slot;
    for (int64_t row = 0; row < rows; row += 1)
      memcpy(slot + row * tile->columns * bytes, core + row * tile->leading * bytes, (size_t)(tile->columns * bytes));
    return;
  }
  const char *base = argument->kind == CSIMD_TENSOR ? frame->values[argument->index] : NULL;
  reg->data = slot;
  if (tile->is_regular && transpose_rows(kernel, argument, base, tile, first, rows, slot)) return;
  for (int64_t row = 0; row < rows; row += 1) {
    int64_t start = tile->start + (first + row) * tile->width;
    for (int64_t count = tile->columns; count > 0;) {
      run_of run = run_at(&argument->layout, start, count);
      load_run(kernel, argument, base, &run, slot);
      slot += run.count * bytes;
      start += run.count;
      count -= run.count;
    }
  }
}

void csimd_run_tile(const csimd_kernel *kernel, const csimd_frame *frame, const csimd_tile *tile) {
  csimd_operand *registers = (csimd_operand *)frame->workspace;
  run_uniform(kernel, frame, registers);
  int64_t most = kernel->block / tile->columns;
  for (int64_t first = 0; first < tile->rows; first += most) {
    int64_t rows = tile->rows - first < most ? tile->rows - first : most;
    for (int i = 0; i < kernel->argument_count; i += 1) {
      const csimd_argument *argument = &kernel->arguments[i];
      if (argument->kind == CSIMD_SCALAR || argument->kind == CSIMD_CONSTANT) continue;
      if (argument->kind == CSIMD_TENSOR && argument->layout.rank == 0) continue;
      gather_rows(kernel, frame, i, tile, first, rows, &registers[i]);
    }
    // All arguments of these rows are read before any output is written, because no instruction writes directly to an
    // output here. So an output may overwrite an argument of the same rows.
    run_instructions(kernel, frame, registers, 0, rows * tile->columns, 0);
    for (int i = 0; i < kernel->output_count; i += 1) {
      const csimd_output *output = &kernel->outputs[i];
      csimd_operand source = read_register(&registers[output->reg]);
      for (int64_t row = 0; row < rows; row += 1) {
        store_output(kernel, frame, output, source, tile->start + (first + row) * tile->width, tile->columns);
        if (source.step) source.data = (const char *)source.data + tile->columns * csimd_lane_bytes(output->lane);
      }
    }
  }
  finish_streams(kernel);
}
