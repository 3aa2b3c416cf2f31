// Scans: cumulative sums and cumulative products.

// Line number `step` in the direction of the scan. A line is the `width` elements at one position of the scanned axis.
#define LINE(S, step) ((S *)values + (is_reversed ? lines - 1 - (step) : (step)) * width)

// Each line is multiplied by the result of the line before it. `state` contains the result of the last line of the
// previous call.
#define SCAN_PRODUCT(name, S)                                                                                 \
  static void name(size_t lines, size_t width, void *values, int is_reversed, void *state, int64_t earlier) { \
    S *product = state;                                                                                       \
    for (size_t i = 0; earlier == 0 && i < width; i += 1) product[i] = 1;                                     \
    for (size_t step = 0; step < lines; step += 1) {                                                          \
      S *to = LINE(S, step);                                                                                  \
      for (size_t i = 0; i < width; i += 1) to[i] = product[i] = product[i] * to[i];                          \
    }                                                                                                         \
  }

// A chain is CSIMD_CHAIN lines. The result of a line is the sum of the lines of its chain up to this one, plus the sum
// of all lines before the chain. The sum before the chain is kept in levels, as in a cascade (see reduce.def): the sum
// of CSIMD_CHAIN chains in level 0 becomes one term of level 1, and so on. The levels are added from the highest to the
// lowest. `state` contains the levels, the sum of the lines before the chain, and the sum of the chain.
#define SCAN_SUM(name, S)                                                                                     \
  static void name(size_t lines, size_t width, void *values, int is_reversed, void *state, int64_t earlier) { \
    S *levels = state, *before = levels + (CSIMD_SCAN_LINES - 2) * width, *sum = before + width;              \
    int64_t chains = earlier / CSIMD_CHAIN;                                                                   \
    if (earlier == 0) memset(levels, 0, width * sizeof(S));                                                   \
    for (size_t first = 0; first < lines; first += CSIMD_CHAIN) {                                             \
      size_t count = lines - first < CSIMD_CHAIN ? lines - first : CSIMD_CHAIN;                               \
      size_t top = 0;                                                                                         \
      for (int64_t rest = chains; rest >= CSIMD_CHAIN; rest /= CSIMD_CHAIN) top += 1;                         \
      for (size_t i = 0; i < width; i += 1) {                                                                 \
        before[i] = levels[top * width + i];                                                                  \
        sum[i] = 0;                                                                                           \
      }                                                                                                       \
      for (size_t level = top; level > 0; level -= 1)                                                         \
        for (size_t i = 0; i < width; i += 1) before[i] += levels[(level - 1) * width + i];                   \
      if (width == 1) {                                                                                       \
        S start = *before, chain = 0;                                                                         \
        for (size_t step = 0; step < count; step += 1) {                                                      \
          S *to = LINE(S, first + step);                                                                      \
          chain += *to;                                                                                       \
          *to = start + chain;                                                                                \
        }                                                                                                     \
        *sum = chain;                                                                                         \
      } else {                                                                                                \
        for (size_t step = 0; step < count; step += 1) {                                                      \
          S *restrict to = LINE(S, first + step);                                                             \
          for (size_t i = 0; i < width; i += 1) {                                                             \
            sum[i] += to[i];                                                                                  \
            to[i] = before[i] + sum[i];                                                                       \
          }                                                                                                   \
        }                                                                                                     \
      }                                                                                                       \
      for (size_t i = 0; i < width; i += 1) levels[i] += sum[i];                                              \
      chains += 1;                                                                                            \
      S *level = levels;                                                                                      \
      for (int64_t rest = chains; rest % CSIMD_CHAIN == 0; rest /= CSIMD_CHAIN, level += width)               \
        for (size_t i = 0; i < width; i += 1) {                                                               \
          level[width + i] = rest == CSIMD_CHAIN ? level[i] : level[width + i] + level[i];                    \
          level[i] = 0;                                                                                       \
        }                                                                                                     \
    }                                                                                                         \
  }
SCAN_SUM(scan_sum_f32, float)
SCAN_SUM(scan_sum_f64, double)
SCAN_SUM(scan_sum_i32, uint32_t)
SCAN_SUM(scan_sum_i64, uint64_t)
SCAN_PRODUCT(scan_product_f32, float)
SCAN_PRODUCT(scan_product_f64, double)
SCAN_PRODUCT(scan_product_i32, uint32_t)
SCAN_PRODUCT(scan_product_i64, uint64_t)
#undef LINE
