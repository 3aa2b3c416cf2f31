#include "csimd_pairs.h"

#include <string.h>
#if defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

extern const csimd_table csimd_baseline;
#if defined(__x86_64__)
extern const csimd_table csimd_avx512;
extern const csimd_pairs csimd_avx512_bf16;
extern const csimd_pairs csimd_amx_bf16;
extern const csimd_table csimd_avx2;

static int can_run(const csimd_table *table) {
  __builtin_cpu_init();
  int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  if (table == &csimd_avx2) return avx2;
  if (table == &csimd_avx512)
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return 1;
}

static const csimd_table *const tables[] = {&csimd_avx512, &csimd_avx2, &csimd_baseline};
#else
static int can_run(const csimd_table *table) { return 1; }
static const csimd_table *const tables[] = {&csimd_baseline};
#endif

const csimd_table *csimd_choose(const char *name) {
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i += 1) {
    if (name && strcmp(name, tables[i]->name) != 0) continue;
    if (can_run(tables[i])) return tables[i];
  }
  return NULL;
}

#if defined(__x86_64__)
// Whether Linux lets this process use the AMX tile registers. A process must request permission before the first use.
static int has_tiles(void) {
  enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
  if (!__builtin_cpu_supports("amx-tile") || !__builtin_cpu_supports("amx-bf16")) return 0;
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#endif

const csimd_pairs *csimd_find_pairs(const csimd_table *table, csimd_pair_unit unit) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (table != &csimd_avx512 || !__builtin_cpu_supports("avx512bf16")) return NULL;
  if (unit == CSIMD_PAIRS_VECTOR) return &csimd_avx512_bf16;
  if (has_tiles()) return &csimd_amx_bf16;
#endif
  return NULL;
}

const csimd_pairs *csimd_find_fast_pairs(const csimd_table *table) {
  const csimd_pairs *matrix = csimd_find_pairs(table, CSIMD_PAIRS_MATRIX);
  if (matrix) return matrix;
#if defined(__x86_64__)
  if (!__builtin_cpu_is("intel")) return csimd_find_pairs(table, CSIMD_PAIRS_VECTOR);
#endif
  return NULL;
}

static const csimd_row *find_row(const csimd_table *table, const char *row, int lane) {
  for (size_t i = 0; i < table->row_count[lane]; i += 1)
    if (strcmp(table->rows[lane][i].name, row) == 0) return &table->rows[lane][i];
  return NULL;
}

csimd_loop csimd_find(const csimd_table *table, const char *row, int lane) {
  const csimd_row *found = find_row(table, row, lane);
  return found ? found->loop : NULL;
}

csimd_loop csimd_find_truths(const csimd_table *table, const char *row, int lane) {
  const csimd_row *found = find_row(table, row, lane);
  return found ? found->truths : NULL;
}

const csimd_reducer *csimd_find_reducer(const csimd_table *table, const char *row, int lane) {
  for (size_t i = 0; i < table->reducer_count[lane]; i += 1)
    if (strcmp(table->reducers[lane][i].name, row) == 0) return &table->reducers[lane][i];
  return NULL;
}

void csimd_splat(void *result, int lane, double floating, int64_t integer) {
  for (int i = 0; i < 16; i += 1) {
    switch (lane) {
      case CSIMD_I32: ((int32_t *)result)[i] = (int32_t)integer; break;
      case CSIMD_I64: ((int64_t *)result)[i] = integer; break;
      case CSIMD_F32: ((float *)result)[i] = (float)floating; break;
      default: ((double *)result)[i] = floating; break;
    }
  }
}

csimd_loop csimd_find_conversion(const csimd_table *table, int from, int to) { return table->convert[from][to]; }
csimd_load csimd_find_load(const csimd_table *table, int dtype) { return table->load[dtype]; }
csimd_store csimd_find_store(const csimd_table *table, int dtype) { return table->store[dtype]; }
