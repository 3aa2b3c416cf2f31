// Softmax and log-sum-exp of rows. One loop processes three rows together, element by element: the maximum of the next
// row, the exponentials of the current row and their sum, and the quotients of the previous row. So the loop reads and
// writes memory all the time; with separate loops, memory would be idle during the exponentials.
//
// The loop does the same arithmetic in the same order as the four loops `max`, `exp_difference`, `sum` and `multiply`
// one after another, so its results have the same bits.

// The prefetch distance, in bytes.
#define ROWS_AHEAD 32768

/// The addresses of the three rows. If there are quotients, `e` contains the exponentials of the previous row until the
/// exponentials of the current row overwrite them.
typedef struct {
  const char *next, *row;
  char *e, *quotients;
} FN(softmax_lines);

/// Processes one vector of each row and updates the accumulators. With `keeps`, it stores the exponentials; with
/// `divides`, it writes the quotients of the previous row, and with `streams` it writes them by non-temporal stores.
/// `shift` is subtracted from the current row; `scale` is 1 / sum of the previous row.
INLINE void FN(softmax_vector)(
    const FN(softmax_lines) * at, size_t byte, V shift, V scale, V *maximum, V *sum, int keeps, int divides,
    int streams) {
  if (divides) {
    V q = LOAD(V, at->e + byte) * scale;
    if (streams) STREAM(V, at->quotients + byte, q);
    else STORE(V, at->quotients + byte, q);
  }
  V a = FN(softmax_weight)(LOAD(V, at->row + byte), shift);
  if (keeps) STORE(V, at->e + byte, a);
  *sum = FN(combine_sum)(*sum, a);
  // Of two equal values, keep the later one, as in `max`. This comparison may lose a NaN of the next row. But then the
  // sum of the next row will be NaN, and `softmax_rows` will compute that row again.
  V b = LOAD(V, at->next + byte);
  *maximum = SELECT(*maximum > b, *maximum, b);
  for (size_t line = 0; line < LANES * BYTES_OF(V); line += 64)
    __builtin_prefetch(at->next + byte + line + ROWS_AHEAD, 0, 2);
}

/// Runs the loop over the three rows; returns the maximum of the next row and the sum of the current row's
/// exponentials.
INLINE void FN(softmax_pass)(
    size_t n, const FN(softmax_lines) * at, V shift, V scale, SCALAR *next_maximum, SCALAR *total, int keeps,
    int divides, int streams) {
  size_t i = 0;
  FN(softmax_lines) lines = *at;
  FN(sums) maxima, sums;
  V maximum[4], sum[4];
  for (int k = 0; k < 4; k += 1) {
    maximum[k] = LEAST;
    sum[k] = (V)(0);
  }
  uint64_t groups = 0;
  while (i < n) {
    if (groups > 0 && groups % CSIMD_CHAIN == 0) {
      FN(carry_sum)(&sums, groups, FN(chain_sum)(sum));
      for (int k = 0; k < 4; k += 1) sum[k] = (V)(0);
    }
    size_t whole = (n - i) / (4 * LANES);
    if (whole == 0) break;
    if (whole > CSIMD_CHAIN) whole = CSIMD_CHAIN;
    groups += whole;
    for (size_t end = i + whole * 4 * LANES; i < end; i += 4 * LANES)
      for (size_t k = 0; k < 4; k += 1)
        FN(softmax_vector)(
            &lines, (i + k * LANES) * BYTES_OF(V), shift, scale, &maximum[k], &sum[k], keeps, divides, streams);
  }
  if (i == n && groups <= CSIMD_CHAIN) {
    // The row is one chain (at most CSIMD_CHAIN groups of four vectors), so the accumulators in registers suffice.
    FN(fold_max)(FN(chain_max)(maximum), next_maximum);
    FN(fold_sum)(FN(chain_sum)(sum), total);
    return;
  }
  for (int k = 0; k < 4; k += 1) {
    maxima.part[k] = maximum[k];
    sums.part[k] = sum[k];
  }
  // The order of the elements does not change a maximum, so all of them count as one chain.
  maxima.groups = 1;
  sums.groups = groups + (i < n);
  for (int k = 0; i < n; i += LANES, k += 1) {
    size_t rest = n - i, byte = i * BYTES_OF(V);
    if (rest >= LANES) {
      FN(softmax_vector)(at, byte, shift, scale, &maxima.part[k], &sums.part[k], keeps, divides, streams);
      continue;
    }
    V a = (V)(0), b = LEAST, last = (V)(0);
    if (divides) {
      COPY_SOME(V)(&a, at->e + byte, rest);
      a = a * scale;
      COPY_SOME(V)(at->quotients + byte, &a, rest);
    }
    COPY_SOME(V)(&a, at->row + byte, rest);
    a = FN(softmax_weight)(a, shift);
    COPY_SOME(V)(&last, &a, rest);
    if (keeps) COPY_SOME(V)(at->e + byte, &a, rest);
    sums.part[k] = FN(combine_sum)(sums.part[k], last);
    COPY_SOME(V)(&b, at->next + byte, rest);
    maxima.part[k] = SELECT(maxima.part[k] > b, maxima.part[k], b);
  }
  FN(finish_max)(&maxima, next_maximum);
  FN(finish_sum)(&sums, total);
}

static void FN(softmax_rows)(const csimd_softmax *rows) {
  size_t n = rows->count, bytes = n * BYTES_OF(V);
  const char *row = rows->numbers;
  char *e = rows->exponentials, *quotients = rows->quotients;
  // Non-temporal stores require that all rows of quotients begin at cache lines.
  int streams = rows->streams && (uintptr_t)quotients % 64 == 0 && bytes % 64 == 0;
  V scale = (V)(0);
  SCALAR next;
  FN(row_max)(n, &(csimd_operand){row, 1}, &next, NULL);
  for (size_t r = 0; r < rows->rows; r += 1, row += bytes) {
    FN(softmax_lines) at = {r + 1 < rows->rows ? row + bytes : row, row, e, quotients};
    SCALAR top = next, total;
    // The quotients of the previous row are written while the current row's exponentials are computed.
    int divides = quotients != NULL && r > 0;
    for (int is_again = 0;; is_again = 1) {
      SCALAR shift = rows->shifts == NULL || IS_FINITE(top) ? top : *(const SCALAR *)rows->substitute;
      if (divides && streams) FN(softmax_pass)(n, &at, (V)(shift), scale, &next, &total, 1, 1, 1);
      else if (divides) FN(softmax_pass)(n, &at, (V)(shift), scale, &next, &total, 1, 1, 0);
      else if (e) FN(softmax_pass)(n, &at, (V)(shift), scale, &next, &total, 1, 0, 0);
      else FN(softmax_pass)(n, &at, (V)(shift), scale, &next, &total, 0, 0, 0);
      memcpy((char *)rows->maxima + r * BYTES_OF(V), &top, BYTES_OF(V));
      if (rows->shifts) memcpy((char *)rows->shifts + r * BYTES_OF(V), &shift, BYTES_OF(V));
      if (total == total || is_again) break;
      // The row may contain a NaN. `row_max` then returns NaN as the maximum. The quotients of the previous row are
      // already written.
      FN(row_max)(n, &(csimd_operand){row, 1}, &top, NULL);
      divides = 0;
    }
    memcpy((char *)rows->sums + r * BYTES_OF(V), &total, BYTES_OF(V));
    if (quotients && r > 0) quotients += bytes;
    if (quotients) scale = VALUE(reciprocal)((V)(total));
    else if (e) e += bytes;
  }
  if (quotients == NULL) return;
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    V q = LOAD(V, e + i * BYTES_OF(V)) * scale;
    if (streams) STREAM(V, quotients + i * BYTES_OF(V), q);
    else STORE(V, quotients + i * BYTES_OF(V), q);
  }
  V q = (V)(0);
  COPY_SOME(V)(&q, e + i * BYTES_OF(V), n - i);
  q = q * scale;
  COPY_SOME(V)(quotients + i * BYTES_OF(V), &q, n - i);
  if (streams) csimd_fence();
}
#undef ROWS_AHEAD
