// Random words, for C, OpenCL C and CUDA. Included after prelude/philox.h.

// Computes in each lane the four random words of a Philox block: the words 4 · block … 4 · block + 3 of the stream of
// `seed` and `counter`.
INLINE void random_words(VL block, VL counter, VL seed, VU *words) {
  philox_block(
      AS_U(I_FROM_L(block)), AS_U(I_FROM_L(block >> 32)), AS_U(I_FROM_L(counter)), AS_U(I_FROM_L(counter >> 32)),
      AS_U(I_FROM_L(seed)), AS_U(I_FROM_L(seed >> 32)), words);
}

// Returns the random words whose indices are in the lanes of `number`.
INLINE VI random_i64(VL number, VL seed, VL counter) {
  VU words[4];
  random_words(number >> 2, counter, seed, words);
  return philox_word(words, I_FROM_L(number));
}
#define random_i32(number, seed, counter) random_i64(L_FROM_I(number), seed, counter)

#if WIDTH > 1
// Returns WIDTH random words of a stream, from index `position` on. WIDTH blocks are generated together and buffered in
// `words`; the first buffered word has the index `*first`.
INLINE VI next_words(i64 position, VL seed, VL counter, int *words, i64 *first) {
  if (position < *first || position + WIDTH > *first + 4 * WIDTH) {
    VU generated[4];
    *first = position & -4L;
    random_words((VL)(*first >> 2) + LANES_L, counter, seed, generated);
    store_interleaved(AS_I(generated[0]), AS_I(generated[1]), AS_I(generated[2]), AS_I(generated[3]), words);
  }
  return VLOAD(words + (int)(position - *first));
}
#endif

// Sets kept[i], in each lane, to 1 if dropout keeps the element of word i of a Philox block, else to 0. Dropout keeps
// the element if the upper 24 bits of the word are below `bound`.
INLINE void kept_words(VL block, VL counter, VL seed, VI bound, VI *kept) {
  VU words[4];
  random_words(block, counter, seed, words);
  UNROLL for (int i = 0; i < 4; i += 1) kept[i] = TRUTH32(KEEPS(words[i], bound));
}

// Like `kept_words`, for three rows of WIDTH consecutive words, one word per lane. The first row begins at word
// `position`; rows are `stride` words apart.
#if WIDTH == 1
INLINE void kept_rows(i64 position, i64 stride, VL counter, VL seed, VI bound, VI *kept) {
  UNROLL for (int row = 0; row < 3; row += 1) {
    VI all[4];
    kept_words((position + row * stride) >> 2, counter, seed, bound, all);
    const int skew = (int)((position + row * stride) & 3);
    kept[row] = skew < 2 ? (skew == 0 ? all[0] : all[1]) : (skew == 2 ? all[2] : all[3]);
  }
}
#else
// Five neighboring lanes generate the blocks of a row: 16 words that begin anywhere in a block of four lie in at most
// five blocks.
INLINE void kept_rows(i64 position, i64 stride, VL counter, VL seed, VI bound, VI *kept) {
  const VI row = (VI)(0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2);
  const VL block = (((VL)(position) + L_FROM_I(row) * (VL)(stride)) >> 2) + LANES_L - L_FROM_I(row * 5);
  VI words[4];
  int all[4 * WIDTH];
  kept_words(block, counter, seed, bound, words);
  store_interleaved(words[0], words[1], words[2], words[3], all);
  UNROLL for (int i = 0; i < 3; i += 1) kept[i] = VLOAD(all + 20 * i + (int)((position + i * stride) & 3));
}
#endif

#if WIDTH == 1
// Returns 1 if dropout keeps the element of word `number`, else 0.
INLINE VI kept_word(i64 number, VL counter, VL seed, VI bound) {
  return TRUTH32(KEEPS(AS_U(random_i64(number, seed, counter)), bound));
}

// Like `kept_words`, for the words `number` and `number + 1`.
INLINE void kept_pair(i64 number, VL counter, VL seed, VI bound, VI *kept) {
  VI all[4];
  const int skew = (int)(number & 3);
  kept_words(number >> 2, counter, seed, bound, all);
  kept[0] = skew < 2 ? (skew == 0 ? all[0] : all[1]) : (skew == 2 ? all[2] : all[3]);
  if (skew == 3) kept_words((number >> 2) + 1, counter, seed, bound, all);
  kept[1] = skew % 2 == 0 ? (skew == 0 ? all[1] : all[3]) : (skew == 1 ? all[2] : all[0]);
}
#endif

// Like `kept_words`, for four consecutive words per lane. The first of these words is word `skew` of the block before
// `block`. `last` contains the results for all words of a block: on entry for the block before `block`, on return for
// `block`.
INLINE void kept_fours(VL block, VL counter, VL seed, VI bound, VI skew, VI *last, VI *kept) {
  VI all[7];
  UNROLL for (int i = 0; i < 4; i += 1) all[i] = last[i];
  kept_words(block, counter, seed, bound, last);
  UNROLL for (int i = 0; i < 3; i += 1) all[i + 4] = last[i];
  UNROLL for (int i = 0; i < 6; i += 1) all[i] = SELECT_I((skew & 1) != 0, all[i + 1], all[i]);
  UNROLL for (int i = 0; i < 4; i += 1) kept[i] = SELECT_I((skew & 2) != 0, all[i + 2], all[i]);
}
