// Scans (cumulative sums and cumulative products), and matrix products of integers.

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

// C = A·B, or C += A·B; integers wrap around.
#define INTEGER_MATMUL(name, S)                                                                                \
  static void name(                                                                                            \
      size_t m, size_t n, size_t k, const void *a, size_t a_row, size_t a_column, const void *b, size_t b_row, \
      size_t b_column, void *c, size_t c_row, int accumulates) {                                               \
    for (size_t row = 0; row < m; row += 1) {                                                                  \
      S *restrict to = (S *)c + row * c_row;                                                                   \
      if (!accumulates) memset(to, 0, n * sizeof(S));                                                          \
      for (size_t j = 0; j < k; j += 1) {                                                                      \
        S factor = ((const S *)a)[row * a_row + j * a_column];                                                 \
        const S *restrict from = (const S *)b + j * b_row;                                                     \
        if (b_column == 1) {                                                                                   \
          for (size_t i = 0; i < n; i += 1) to[i] += factor * from[i];                                         \
        } else {                                                                                               \
          for (size_t i = 0; i < n; i += 1) to[i] += factor * from[i * b_column];                              \
        }                                                                                                      \
      }                                                                                                        \
    }                                                                                                          \
  }
INTEGER_MATMUL(integer_matmul_i32, uint32_t)
INTEGER_MATMUL(integer_matmul_i64, uint64_t)
