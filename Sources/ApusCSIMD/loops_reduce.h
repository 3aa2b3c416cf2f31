// The reductions of reduce.def for one lane (arithmetic type). An accumulator has four vectors, which accumulate in
// turn. At the end, the four vectors are combined into one, and the 16 elements of this vector are combined by halves:
// 8 with 8, 4 with 4, and so on. So the order depends only on the number of elements.
//
// Elements are combined in a cascade of chains (see reduce.def): CSIMD_CHAIN groups of four vectors are one term of the
// first level, and CSIMD_CHAIN terms of a level are one term of the next level.

typedef struct {
  /// The accumulator of the current chain. A full chain is added to `level[0]` when the next chain begins.
  V part[4];
  /// For each level, the sum of its current chain, whose terms are the full chains of the level below. When a chain
  /// is full, its sum is added to the next level, and the entry is not used until the next chain of the level begins.
  /// So an entry of the first two levels is valid unless the number of terms of its level is a multiple of CSIMD_CHAIN.
  /// The chain of the last level is never full: it takes all further terms.
  V level[3];
  /// The number of accumulated groups of four vectors.
  uint64_t groups;
} FN(sums);
_Static_assert(sizeof(FN(sums)) <= CSIMD_STATE_BYTES, "the state of a sum fits the memory for states");

typedef struct {
  V best;
  /// The index of `best`; −1 before the first element.
  VL index;
} FN(indices);

/// Prefetches memory in a loop that accumulates groups of four vectors; the current group is at `x` and starts with element
/// `i`. Each call prefetches the next `lines` cache lines of the memory that begins at `ahead` or, if `ahead` is NULL,
/// the elements 2 KiB after `x`.
INLINE void FN(prefetch_group)(const char *x, const char *ahead, size_t i, size_t lines) {
  for (size_t at = 0; ahead && at < 64 * lines; at += 64) __builtin_prefetch(ahead + lines * i + at, 0, 2);
  for (size_t at = 0; !ahead && at < 4 * LANES * BYTES_OF(V); at += 64) csimd_prefetch_ahead(x + at);
}

/// Accumulates elements in several sums (`sets`) at once. The last arguments are expressions that compute the terms of
/// these sums from `a`, a vector of elements, and `b`, the second operand.
#define ACCUMULATE(name, sets, combined, identity, prefetched_lines, second, ...)                                   \
  static void FN(accumulate_##name)(size_t n, FN(sums) *const *s, const csimd_operand *values, const char *ahead) { \
    const char *x = values[0].data;                                                                                 \
    size_t step = values[0].step * LANES * BYTES_OF(V);                                                             \
    uint64_t groups = s[0]->groups;                                                                                 \
    V b = second;                                                                                                   \
    V part[sets][4];                                                                                                \
    for (int t = 0; t < sets; t += 1)                                                                               \
      for (int k = 0; k < 4; k += 1) part[t][k] = s[t]->part[k];                                                    \
    for (size_t i = 0; i < n;) {                                                                                    \
      for (int t = 0; t < sets && groups > 0 && groups % CSIMD_CHAIN == 0; t += 1) {                                \
        FN(carry_##combined)(s[t], groups, FN(chain_##combined)(part[t]));                                          \
        for (int k = 0; k < 4; k += 1) part[t][k] = identity;                                                       \
      }                                                                                                             \
      size_t whole = (n - i) / (4 * LANES), chain_left = CSIMD_CHAIN - groups % CSIMD_CHAIN;                        \
      if (whole > chain_left) whole = chain_left;                                                                   \
      groups += whole;                                                                                              \
      /* A copy in registers, since the tail below makes `part` an array in memory. */                              \
      V run[sets][4];                                                                                               \
      for (int t = 0; t < sets; t += 1)                                                                             \
        for (int k = 0; k < 4; k += 1) run[t][k] = part[t][k];                                                      \
      for (size_t end = i + whole * 4 * LANES; i < end; i += 4 * LANES) {                                           \
        FN(prefetch_group)(x, ahead, i, prefetched_lines);                                                          \
        for (int k = 0; k < 4; k += 1, x += step) {                                                                 \
          V a = LOAD(V, x);                                                                                         \
          V terms[sets] = {__VA_ARGS__};                                                                            \
          for (int t = 0; t < sets; t += 1) run[t][k] = FN(combine_##combined)(run[t][k], terms[t]);                \
        }                                                                                                           \
      }                                                                                                             \
      for (int t = 0; t < sets; t += 1)                                                                             \
        for (int k = 0; k < 4; k += 1) part[t][k] = run[t][k];                                                      \
      if (whole == chain_left || i == n) continue;                                                                  \
      int k = 0;                                                                                                    \
      for (; n - i >= LANES; i += LANES, k += 1, x += step) {                                                       \
        V a = LOAD(V, x);                                                                                           \
        V terms[sets] = {__VA_ARGS__};                                                                              \
        for (int t = 0; t < sets; t += 1) part[t][k] = FN(combine_##combined)(part[t][k], terms[t]);                \
      }                                                                                                             \
      if (i < n) {                                                                                                  \
        V a = (V)(0);                                                                                               \
        COPY_SOME(V)(&a, x, n - i);                                                                                 \
        V terms[sets] = {__VA_ARGS__};                                                                              \
        MASK is_element = NARROW_MASK(COUNT_UP) < (int)(n - i);                                                     \
        for (int t = 0; t < sets; t += 1)                                                                           \
          part[t][k] = FN(combine_##combined)(part[t][k], SELECT(is_element, terms[t], identity));                  \
        i = n;                                                                                                      \
      }                                                                                                             \
      groups += 1;                                                                                                  \
    }                                                                                                               \
    for (int t = 0; t < sets; t += 1) {                                                                             \
      for (int k = 0; k < 4; k += 1) s[t]->part[k] = part[t][k];                                                    \
      s[t]->groups = groups;                                                                                        \
    }                                                                                                               \
    (void)b;                                                                                                        \
  }

/// Accumulates one sum.
#define TAKE(name, combined, identity, prefetched_lines, second, number)                                              \
  ACCUMULATE(name, 1, combined, identity, prefetched_lines, second, number)                                           \
  static void FN(take_##name)(size_t n, void *state, const csimd_operand *values, int64_t start, const char *ahead) { \
    FN(accumulate_##name)(n, (FN(sums) *[]){state}, values, ahead);                                                   \
  }

/// Broadcasts a single-value operand to a vector.
INLINE V FN(repeated)(const csimd_operand *operand) {
  SCALAR number;
  memcpy(&number, operand->data, sizeof number);
  return (V)(number);
}

/// Computes the sums of `ACCUMULATE` for a whole row. If a row consists of whole vectors and fits into one chain, its
/// sums stay in registers.
#define WHOLE_ROWS(name, sets, combined, identity, prefetched_lines, second, ...)                                \
  INLINE void FN(whole_##name)(size_t n, const csimd_operand *values, void *const *results, const char *ahead) { \
    V b = second;                                                                                                \
    if (n % LANES != 0 || n > CSIMD_CHAIN * 4 * LANES) {                                                         \
      FN(sums) states[sets], *s[sets];                                                                           \
      for (int t = 0; t < sets; t += 1) FN(begin_##combined)(s[t] = &states[t]);                                 \
      FN(accumulate_##name)(n, s, (csimd_operand[]){values[0], {&b, 0}}, ahead);                                 \
      for (int t = 0; t < sets; t += 1) FN(finish_##combined)(s[t], results[t]);                                 \
      return;                                                                                                    \
    }                                                                                                            \
    const char *x = values[0].data;                                                                              \
    V part[sets][4];                                                                                             \
    for (int t = 0; t < sets; t += 1)                                                                            \
      for (int k = 0; k < 4; k += 1) part[t][k] = identity;                                                      \
    size_t i = 0;                                                                                                \
    for (; i + 4 * LANES <= n; i += 4 * LANES) {                                                                 \
      FN(prefetch_group)(x, ahead, i, prefetched_lines);                                                         \
      for (int k = 0; k < 4; k += 1, x += LANES * BYTES_OF(V)) {                                                 \
        V a = LOAD(V, x);                                                                                        \
        V terms[sets] = {__VA_ARGS__};                                                                           \
        for (int t = 0; t < sets; t += 1) part[t][k] = FN(combine_##combined)(part[t][k], terms[t]);             \
      }                                                                                                          \
    }                                                                                                            \
    size_t rest = (n - i) / LANES;                                                                               \
    for (size_t k = 0; k < 3; k += 1)                                                                            \
      if (k < rest) {                                                                                            \
        V a = LOAD(V, x + k * LANES * BYTES_OF(V));                                                              \
        V terms[sets] = {__VA_ARGS__};                                                                           \
        for (int t = 0; t < sets; t += 1) part[t][k] = FN(combine_##combined)(part[t][k], terms[t]);             \
      }                                                                                                          \
    for (int t = 0; t < sets; t += 1) FN(fold_##combined)(FN(chain_##combined)(part[t]), results[t]);            \
  }

/// Reduces a whole row to one sum.
#define WHOLE_ROW(name, combined, identity, prefetched_lines, second, number)                          \
  WHOLE_ROWS(name, 1, combined, identity, prefetched_lines, second, number)                            \
  static void FN(row_##name)(size_t n, const csimd_operand *values, void *result, const char *ahead) { \
    FN(whole_##name)(n, values, (void *[]){result}, ahead);                                            \
  }

/// Reduces `lines` arrays (the lines) of n elements, which are `distance` bytes apart. For each column, computes the
/// sums of `ACCUMULATE` over all lines, and adds them to the arrays `to`, which are read and written once.
/// `whole_lines` does so for whole vectors of columns, and returns the number of these columns; `last_lines` does so
/// for the columns from i on. The second operand is the same for all lines.
#define LINES(name, sets, combined, identity, ...)                                                                     \
  INLINE size_t FN(whole_lines_##name)(                                                                                \
      size_t n, void *const *to, const char *x, csimd_operand second, ptrdiff_t distance, ptrdiff_t lines) {           \
    V b = (V)(0);                                                                                                      \
    if (second.step == 0) b = LOAD(V, second.data);                                                                    \
    size_t i = 0;                                                                                                      \
    for (; i + LANES <= n; i += LANES) {                                                                               \
      size_t at = i * BYTES_OF(V);                                                                                     \
      if (second.step != 0) b = LOAD(V, (const char *)second.data + at);                                               \
      V sum[sets];                                                                                                     \
      for (int t = 0; t < sets; t += 1) sum[t] = identity;                                                             \
      for (ptrdiff_t line = 0; line < lines; line += 1) {                                                              \
        const char *from = x + line * distance + at;                                                                   \
        for (size_t ahead = 0; ahead < LANES * BYTES_OF(V); ahead += 64) csimd_prefetch_ahead(from + ahead);           \
        V a = LOAD(V, from);                                                                                           \
        V terms[sets] = {__VA_ARGS__};                                                                                 \
        for (int t = 0; t < sets; t += 1) sum[t] = FN(combine_##combined)(sum[t], terms[t]);                           \
      }                                                                                                                \
      for (int t = 0; t < sets; t += 1) {                                                                              \
        char *result = (char *)to[t] + at;                                                                             \
        STORE(V, result, FN(combine_##combined)(LOAD(V, result), sum[t]));                                             \
      }                                                                                                                \
    }                                                                                                                  \
    return i;                                                                                                          \
  }                                                                                                                    \
  INLINE void FN(last_lines_##name)(                                                                                   \
      size_t i, size_t n, void *const *to, const char *x, csimd_operand second, ptrdiff_t distance, ptrdiff_t lines) { \
    if (i == n) return;                                                                                                \
    size_t at = i * BYTES_OF(V);                                                                                       \
    V a = (V)(0), b = (V)(0), sum[sets];                                                                               \
    if (second.step == 0) b = LOAD(V, second.data);                                                                    \
    else COPY_SOME(V)(&b, (const char *)second.data + at, n - i);                                                      \
    for (int t = 0; t < sets; t += 1) sum[t] = identity;                                                               \
    for (ptrdiff_t line = 0; line < lines; line += 1) {                                                                \
      COPY_SOME(V)(&a, x + line * distance + at, n - i);                                                               \
      V terms[sets] = {__VA_ARGS__};                                                                                   \
      for (int t = 0; t < sets; t += 1) sum[t] = FN(combine_##combined)(sum[t], terms[t]);                             \
    }                                                                                                                  \
    for (int t = 0; t < sets; t += 1) {                                                                                \
      COPY_SOME(V)(&a, (char *)to[t] + at, n - i);                                                                     \
      a = FN(combine_##combined)(a, sum[t]);                                                                           \
      COPY_SOME(V)((char *)to[t] + at, &a, n - i);                                                                     \
    }                                                                                                                  \
  }

#define REDUCE(name, identity, expression)                                                                             \
  INLINE V FN(combine_##name)(V a, V b) { return expression; }                                                         \
  static void FN(begin_##name)(void *state) {                                                                          \
    FN(sums) *s = state;                                                                                               \
    for (int i = 0; i < 4; i += 1) s->part[i] = identity;                                                              \
    s->groups = 0;                                                                                                     \
  }                                                                                                                    \
  INLINE V FN(chain_##name)(const V *part) {                                                                           \
    return FN(combine_##name)(FN(combine_##name)(part[0], part[1]), FN(combine_##name)(part[2], part[3]));             \
  }                                                                                                                    \
  /* Adds the full chain that ends with group number `groups` to the levels. */                                        \
  static void FN(carry_##name)(FN(sums) * s, uint64_t groups, V a) {                                                   \
    for (int i = 0; i < 3 && groups % CSIMD_CHAIN == 0; i += 1) {                                                      \
      groups /= CSIMD_CHAIN;                                                                                           \
      int is_first = i < 2 ? groups % CSIMD_CHAIN == 1 : groups == 1;                                                  \
      if (!is_first) a = FN(combine_##name)(s->level[i], a);                                                           \
      s->level[i] = a;                                                                                                 \
    }                                                                                                                  \
  }                                                                                                                    \
  /* Combines all elements; the lowest level has the latest ones. */                                                   \
  INLINE V FN(total_##name)(const FN(sums) * s) {                                                                      \
    V a = FN(chain_##name)(s->part);                                                                                   \
    uint64_t terms = s->groups > 0 ? (s->groups - 1) / CSIMD_CHAIN : 0;                                                \
    for (int i = 0; i < 3 && terms > 0; i += 1, terms /= CSIMD_CHAIN)                                                  \
      if (i == 2 || terms % CSIMD_CHAIN != 0) a = FN(combine_##name)(s->level[i], a);                                  \
    return a;                                                                                                          \
  }                                                                                                                    \
  TAKE(name, name, identity, 0, (V)(0), a)                                                                             \
  static void FN(merge_##name)(void *state, const void *other) {                                                       \
    FN(sums) *s = state;                                                                                               \
    V a = FN(combine_##name)(FN(total_##name)(s), FN(total_##name)(other));                                            \
    FN(begin_##name)(s);                                                                                               \
    s->part[0] = a;                                                                                                    \
  }                                                                                                                    \
  INLINE void FN(fold_##name)(V a, void *result) {                                                                     \
    a = FN(combine_##name)(a, FOLDED(a, 8));                                                                           \
    a = FN(combine_##name)(a, FOLDED(a, 4));                                                                           \
    a = FN(combine_##name)(a, FOLDED(a, 2));                                                                           \
    a = FN(combine_##name)(a, FOLDED(a, 1));                                                                           \
    memcpy(result, &a, BYTES_OF(V));                                                                                   \
  }                                                                                                                    \
  static void FN(finish_##name)(const void *state, void *result) { FN(fold_##name)(FN(total_##name)(state), result); } \
  WHOLE_ROW(name, name, identity, 0, (V)(0), a)                                                                        \
  static void FN(begin_columns_##name)(size_t n, void *numbers, int64_t *indices) {                                    \
    V first = identity;                                                                                                \
    for (size_t i = 0; i < n; i += 1) memcpy((char *)numbers + i * BYTES_OF(V), &first, BYTES_OF(V));                  \
  }                                                                                                                    \
  DEFINE_LOOP(FN(columns_##name), V, BYTES_OF(V), 2, SIZES(BYTES_OF(V), BYTES_OF(V), 0), {                             \
    V a = OPERAND(V, 0);                                                                                               \
    V b = OPERAND(V, 1);                                                                                               \
    r = FN(combine_##name)(a, b);                                                                                      \
  })                                                                                                                   \
  static void FN(take_columns_##name)(                                                                                 \
      size_t n, void *numbers, int64_t *indices, const csimd_operand *values, int64_t index) {                         \
    csimd_operand both[2] = {{numbers, 1}, *values};                                                                   \
    FN(columns_##name)(n, numbers, both, NULL);                                                                        \
  }                                                                                                                    \
  LINES(name, 1, name, identity, a)                                                                                    \
  static void FN(take_lines_##name)(size_t n, void *numbers, const void *values, ptrdiff_t distance, size_t lines) {   \
    void *const *to = (void *[]){numbers};                                                                             \
    V none = (V)(0);                                                                                                   \
    csimd_operand second = {&none, 0};                                                                                 \
    size_t i = lines == CSIMD_LINES_AT_ONCE                                                                            \
        ? FN(whole_lines_##name)(n, to, values, second, distance, CSIMD_LINES_AT_ONCE)                                 \
        : FN(whole_lines_##name)(n, to, values, second, distance, (ptrdiff_t)lines);                                   \
    FN(last_lines_##name)(i, n, to, values, second, distance, (ptrdiff_t)lines);                                       \
  }                                                                                                                    \
  static void FN(merge_columns_##name)(                                                                                \
      size_t n, void *numbers, int64_t *indices, const void *other, const int64_t *other_indices) {                    \
    csimd_operand both[2] = {{numbers, 1}, {other, 1}};                                                                \
    FN(columns_##name)(n, numbers, both, NULL);                                                                        \
  }

// Element i + k of `best` replaces element i if it is better, or if it is equally good and has an earlier index.
#define FOLD_INDICES(name, k)                                        \
  {                                                                  \
    V other = FOLDED(best, k);                                       \
    VL at = FOLDED(index, k);                                        \
    VL is_preferred = WIDE_MASK(FN(better_##name)(other, best)) |    \
        (~WIDE_MASK(FN(better_##name)(best, other)) & (at < index)); \
    is_preferred = (at >= 0) & (is_preferred | (index < 0));         \
    best = NARROW_MASK(is_preferred) ? other : best;                 \
    index = is_preferred ? at : index;                               \
  }
#define REDUCE_INDEX(name, is_better)                                                                                 \
  static void FN(begin_##name)(void *state) {                                                                         \
    FN(indices) *s = state;                                                                                           \
    s->best = (V)(0);                                                                                                 \
    s->index = (VL)(-1);                                                                                              \
  }                                                                                                                   \
  INLINE int FN(prefers_##name)(SCALAR a, int64_t at_a, SCALAR b, int64_t at_b) {                                     \
    if (at_a < 0 || at_b < 0) return at_b < 0 && at_a >= 0;                                                           \
    if (is_better) return 1;                                                                                          \
    SCALAR swap = a;                                                                                                  \
    a = b;                                                                                                            \
    b = swap;                                                                                                         \
    return !(is_better) && at_a < at_b;                                                                               \
  }                                                                                                                   \
  INLINE MASK FN(better_##name)(V a, V b) { return MASK_OF(is_better); }                                              \
  /* Four vectors in turn, so that comparisons do not depend on each other. */                                        \
  static void FN(take_##name)(size_t n, void *state, const csimd_operand *values, int64_t start, const char *ahead) { \
    FN(indices) s = *(FN(indices) *)state;                                                                            \
    const char *x = values->data;                                                                                     \
    size_t step = values->step * LANES * BYTES_OF(V);                                                                 \
    size_t whole = n / LANES, parts = whole < 4 ? whole : 4;                                                          \
    /* Indices relative to `start`, in integers as wide as the elements; -1 before the first element. */              \
    MASK at = NARROW_MASK(COUNT_UP);                                                                                  \
    V best[4];                                                                                                        \
    MASK index[4];                                                                                                    \
    for (size_t k = 0; k < 4; k += 1) {                                                                               \
      best[k] = (V)(0);                                                                                               \
      index[k] = (MASK)(-1);                                                                                          \
      if (k >= parts) continue;                                                                                       \
      best[k] = LOAD(V, x + k * step);                                                                                \
      index[k] = at;                                                                                                  \
      at += LANES;                                                                                                    \
    }                                                                                                                 \
    size_t i = parts;                                                                                                 \
    for (; i + 4 <= whole; i += 4) {                                                                                  \
      for (size_t at = 0; at < 4 * LANES * BYTES_OF(V); at += 64) csimd_prefetch_ahead(x + i * step + at);            \
      for (size_t k = 0; k < 4; k += 1) {                                                                             \
        V a = LOAD(V, x + (i + k) * step);                                                                            \
        MASK m = FN(better_##name)(a, best[k]);                                                                       \
        best[k] = m ? a : best[k];                                                                                    \
        index[k] = m ? at + (int)(k * LANES) : index[k];                                                              \
      }                                                                                                               \
      at += 4 * LANES;                                                                                                \
    }                                                                                                                 \
    for (; i * LANES < n; i += 1, at += LANES) {                                                                      \
      V a = (V)(0);                                                                                                   \
      size_t rest = n - i * LANES;                                                                                    \
      if (rest >= LANES) a = LOAD(V, x + i * step);                                                                   \
      else COPY_SOME(V)(&a, x + i * step, rest);                                                                      \
      MASK m = FN(better_##name)(a, best[0]) | (index[0] < 0);                                                        \
      if (rest < LANES) m &= NARROW_MASK(COUNT_UP < (int64_t)rest);                                                   \
      best[0] = m ? a : best[0];                                                                                      \
      index[0] = m ? at : index[0];                                                                                   \
    }                                                                                                                 \
    for (size_t k = 1; k < parts; k += 1) {                                                                           \
      MASK m = FN(better_##name)(best[k], best[0]);                                                                   \
      m |= ~FN(better_##name)(best[0], best[k]) & (index[k] < index[0]);                                              \
      best[0] = m ? best[k] : best[0];                                                                                \
      index[0] = m ? index[k] : index[0];                                                                             \
    }                                                                                                                 \
    MASK m = (FN(better_##name)(best[0], s.best) | NARROW_MASK(s.index < 0)) & (index[0] >= 0);                       \
    s.best = m ? best[0] : s.best;                                                                                    \
    s.index = WIDE_MASK(m) ? WIDE_MASK(index[0]) + start : s.index;                                                   \
    *(FN(indices) *)state = s;                                                                                        \
  }                                                                                                                   \
  static void FN(merge_##name)(void *state, const void *other) {                                                      \
    FN(indices) *s = state;                                                                                           \
    const FN(indices) *o = other;                                                                                     \
    for (int i = 0; i < LANES; i += 1) {                                                                              \
      if (!FN(prefers_##name)(o->best[i], o->index[i], s->best[i], s->index[i])) continue;                            \
      s->best[i] = o->best[i];                                                                                        \
      s->index[i] = o->index[i];                                                                                      \
    }                                                                                                                 \
  }                                                                                                                   \
  static void FN(finish_##name)(const void *state, void *result) {                                                    \
    const FN(indices) *s = state;                                                                                     \
    V best = s->best;                                                                                                 \
    VL index = s->index;                                                                                              \
    FOLD_INDICES(name, 8);                                                                                            \
    FOLD_INDICES(name, 4);                                                                                            \
    FOLD_INDICES(name, 2);                                                                                            \
    FOLD_INDICES(name, 1);                                                                                            \
    *(int64_t *)result = index[0] < 0 ? 0 : index[0];                                                                 \
  }                                                                                                                   \
  static void FN(begin_columns_##name)(size_t n, void *numbers, int64_t *indices) {                                   \
    memset(numbers, 0, n * BYTES_OF(V));                                                                              \
    for (size_t i = 0; i < n; i += 1) indices[i] = -1;                                                                \
  }                                                                                                                   \
  static void FN(take_columns_##name)(                                                                                \
      size_t n, void *numbers, int64_t *indices, const csimd_operand *values, int64_t index) {                        \
    SCALAR *best = numbers;                                                                                           \
    const SCALAR *x = values->data;                                                                                   \
    for (size_t i = 0; i < n; i += 1) {                                                                               \
      SCALAR a = x[values->step ? i : 0], b = best[i];                                                                \
      int better = (is_better) | (indices[i] < 0);                                                                    \
      best[i] = better ? a : b;                                                                                       \
      indices[i] = better ? index : indices[i];                                                                       \
    }                                                                                                                 \
  }                                                                                                                   \
  static void FN(merge_columns_##name)(                                                                               \
      size_t n, void *numbers, int64_t *indices, const void *other, const int64_t *other_indices) {                   \
    SCALAR *best = numbers;                                                                                           \
    const SCALAR *x = other;                                                                                          \
    for (size_t i = 0; i < n; i += 1) {                                                                               \
      if (!FN(prefers_##name)(x[i], other_indices[i], best[i], indices[i])) continue;                                 \
      best[i] = x[i];                                                                                                 \
      indices[i] = other_indices[i];                                                                                  \
    }                                                                                                                 \
  }
#include "../../Kernels/reduce.def"
#undef REDUCE
#undef REDUCE_INDEX
#undef FOLD_INDICES

// Row sums of elements that are first transformed with one value per row, `values[1]`.
#if LANE_IS_FLOAT
INLINE V FN(squared_difference)(V a, V b) {
  V difference = a - b;
  return difference * difference;
}
#define JOINED(name, prefetched_lines, number)                               \
  TAKE(name, sum, (V)(0), prefetched_lines, LOAD(V, values[1].data), number) \
  WHOLE_ROW(name, sum, (V)(0), prefetched_lines, FN(repeated)(&values[1]), number)
JOINED(sum_difference, 1, a - b)
JOINED(sum_squared_difference, CSIMD_DEVIATION_LINES, FN(squared_difference)(a, b))
JOINED(sum_exp_difference, 4, FN(softmax_weight)(a, b))

#include "loops_deviations.h"
#endif
#undef ACCUMULATE
#undef TAKE
#undef LINES
#undef WHOLE_ROWS
#undef WHOLE_ROW
#undef JOINED

#define REDUCER(name, is_index, take_lines, row) \
  {#name,                                        \
   is_index,                                     \
   0,                                            \
   FN(begin_##name),                             \
   FN(take_##name),                              \
   FN(merge_##name),                             \
   FN(finish_##name),                            \
   FN(begin_columns_##name),                     \
   FN(take_columns_##name),                      \
   take_lines,                                   \
   FN(merge_columns_##name),                     \
   NULL,                                         \
   NULL,                                         \
   NULL,                                         \
   row},
#define REDUCE(name, identity, expression) REDUCER(name, 0, FN(take_lines_##name), FN(row_##name))
#define REDUCE_INDEX(name, is_better) REDUCER(name, 1, NULL, NULL)
#define ROW_SUM(name, prefetched_lines, deviations, deviation_row, lines) \
  {#name,                                                                 \
   0,                                                                     \
   prefetched_lines,                                                      \
   FN(begin_sum),                                                         \
   FN(take_##name),                                                       \
   FN(merge_sum),                                                         \
   FN(finish_sum),                                                        \
   FN(begin_columns_sum),                                                 \
   NULL,                                                                  \
   NULL,                                                                  \
   FN(merge_columns_sum),                                                 \
   deviations,                                                            \
   deviation_row,                                                         \
   lines,                                                                 \
   FN(row_##name)},
static const csimd_reducer LANE_TABLE(reducers)[] = {
#include "../../Kernels/reduce.def"
#if LANE_IS_FLOAT
    // clang-format off
  ROW_SUM(sum_difference, 1, NULL, NULL, NULL)
  ROW_SUM(
      sum_squared_difference, CSIMD_DEVIATION_LINES, FN(take_deviations), FN(deviation_row), FN(deviation_lines))
  ROW_SUM(sum_exp_difference, 4, NULL, NULL, NULL)
// clang-format on
#endif
};
#undef REDUCE
#undef REDUCE_INDEX
#undef REDUCER
#undef ROW_SUM
