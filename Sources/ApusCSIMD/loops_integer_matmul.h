// Matrix products of integers.

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
