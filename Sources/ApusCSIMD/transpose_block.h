// Transposition of blocks of 4-byte words in registers.

// Prefetch distances: in elements along a row, and in rows.
#define PREFETCH_NUMBERS 64
#define PREFETCH_LINES 24
#define TRANSPOSE_LOOP _Pragma("clang loop unroll(full)")
#if CSIMD_REGISTERS >= 32
#define TRANSPOSE_WIDTH 16
typedef VF transposed_row;
// Shuffles each pair of registers of `a` whose indices differ only in the bit `distance`. `low` and `high` are the
// shuffle indices of the two results.
#define TRANSPOSE_PAIR(distance, low, high)                \
  TRANSPOSE_LOOP for (int i = 0; i < 16; i += 1) {         \
    if (i & distance) continue;                            \
    VF x = a[i], y = a[i + distance];                      \
    a[i] = __builtin_shufflevector(x, y, low);             \
    a[i + distance] = __builtin_shufflevector(x, y, high); \
  }
#define ORDER(...) __VA_ARGS__
INLINE void transpose_registers(VF *a) {
  TRANSPOSE_PAIR(
      1, ORDER(0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
      ORDER(1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31));
  TRANSPOSE_PAIR(
      2, ORDER(0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
      ORDER(2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31));
  TRANSPOSE_PAIR(
      4, ORDER(0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
      ORDER(4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31));
  TRANSPOSE_PAIR(
      8, ORDER(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
      ORDER(8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
}
#else
#define TRANSPOSE_WIDTH 8
typedef float transposed_row __attribute__((ext_vector_type(8)));
#define TRANSPOSE_PAIR(distance, low, high)                \
  TRANSPOSE_LOOP for (int i = 0; i < 8; i += 1) {          \
    if (i & distance) continue;                            \
    transposed_row x = a[i], y = a[i + distance];          \
    a[i] = __builtin_shufflevector(x, y, low);             \
    a[i + distance] = __builtin_shufflevector(x, y, high); \
  }
#define ORDER(...) __VA_ARGS__
INLINE void transpose_registers(transposed_row *a) {
  TRANSPOSE_PAIR(1, ORDER(0, 8, 2, 10, 4, 12, 6, 14), ORDER(1, 9, 3, 11, 5, 13, 7, 15));
  TRANSPOSE_PAIR(2, ORDER(0, 1, 8, 9, 4, 5, 12, 13), ORDER(2, 3, 10, 11, 6, 7, 14, 15));
  TRANSPOSE_PAIR(4, ORDER(0, 1, 2, 3, 8, 9, 10, 11), ORDER(4, 5, 6, 7, 12, 13, 14, 15));
}
#endif
typedef transposed_row transposed_row_any __attribute__((aligned(4), may_alias));

// Reads TRANSPOSE_WIDTH words of each row. Unless `ahead` is NULL, also prefetches a cache line for each row: the first
// line is at `ahead`, and lines are `stride` elements apart. The hardware of many processors does not prefetch rows
// that are far apart.
INLINE void load_rows(size_t rows, const float *source, ptrdiff_t stride, const float *ahead, transposed_row *a) {
  TRANSPOSE_LOOP for (size_t r = 0; r < TRANSPOSE_WIDTH; r += 1) if (ahead && r < rows)
      __builtin_prefetch(ahead + (ptrdiff_t)r * stride, 0, 2);
  TRANSPOSE_LOOP for (size_t r = 0; r < TRANSPOSE_WIDTH; r += 1)
      a[r] = r < rows ? (transposed_row)LOAD(transposed_row, source + (ptrdiff_t)r * stride) : (transposed_row)(0);
}

// Transposes `rows` (at most TRANSPOSE_WIDTH) rows of TRANSPOSE_WIDTH words in stages. The first stage shuffles
// elements between rows that are 1 row apart, the next stages between rows that are 2, 4, … rows apart. Each row of the
// target has TRANSPOSE_WIDTH words; the rows are `step` elements apart.
INLINE void transpose_block(
    size_t rows, const float *source, ptrdiff_t stride, const float *ahead, float *target, size_t step) {
  transposed_row a[TRANSPOSE_WIDTH];
  load_rows(rows, source, stride, ahead, a);
  transpose_registers(a);
  TRANSPOSE_LOOP for (size_t r = 0; r < TRANSPOSE_WIDTH; r += 1) STORE(transposed_row, target + r * step, a[r]);
}

// The address to prefetch while word `i` of the `k` words of each row is read: later words of the same rows, or the
// first words of the next rows.
INLINE const float *prefetch_address(size_t rows, const float *source, ptrdiff_t stride, size_t i, size_t k) {
  size_t at = i + PREFETCH_NUMBERS;
  return at < k ? source + at : source + (ptrdiff_t)rows * stride + (at - k);
}
#undef TRANSPOSE_PAIR
#undef ORDER
