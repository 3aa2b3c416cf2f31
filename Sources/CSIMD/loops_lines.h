// Running sums and products, and products of integer matrices.

// Lines of `width` numbers; each is combined with the one before it (after it where reversed).
#define SCAN_LOOP(name, S, op)                                                                   \
  static void name(size_t lines, size_t width, void *values, int is_reversed) {                  \
    S *v = values;                                                                               \
    for (size_t line = 1; line < lines; line += 1) {                                             \
      size_t at = is_reversed ? lines - 1 - line : line;                                         \
      S *to = v + at * width;                                                                    \
      const S *from = is_reversed ? to + width : to - width;                                     \
      for (size_t i = 0; i < width; i += 1) to[i] = to[i] op from[i];                            \
    }                                                                                            \
  }
SCAN_LOOP(scan_sum_f32, float, +)
SCAN_LOOP(scan_sum_f64, double, +)
SCAN_LOOP(scan_sum_i32, uint32_t, +)
SCAN_LOOP(scan_sum_i64, uint64_t, +)
SCAN_LOOP(scan_product_f32, float, *)
SCAN_LOOP(scan_product_f64, double, *)
SCAN_LOOP(scan_product_i32, uint32_t, *)
SCAN_LOOP(scan_product_i64, uint64_t, *)

// C = A·B, or C += A·B; integers wrap around.
#define INTEGER_MATMUL(name, S)                                                                  \
  static void name(size_t m, size_t n, size_t k, const void *a, size_t a_row, size_t a_column,   \
                   const void *b, size_t b_row, size_t b_column, void *c, size_t c_row,          \
                   int accumulates) {                                                            \
    for (size_t row = 0; row < m; row += 1) {                                                    \
      S *restrict to = (S *)c + row * c_row;                                                     \
      if (!accumulates) memset(to, 0, n * sizeof(S));                                            \
      for (size_t j = 0; j < k; j += 1) {                                                        \
        S factor = ((const S *)a)[row * a_row + j * a_column];                                   \
        const S *restrict from = (const S *)b + j * b_row;                                       \
        if (b_column == 1) {                                                                     \
          for (size_t i = 0; i < n; i += 1) to[i] += factor * from[i];                           \
        } else {                                                                                 \
          for (size_t i = 0; i < n; i += 1) to[i] += factor * from[i * b_column];                \
        }                                                                                        \
      }                                                                                          \
    }                                                                                            \
  }
INTEGER_MATMUL(integer_matmul_i32, uint32_t)
INTEGER_MATMUL(integer_matmul_i64, uint64_t)
