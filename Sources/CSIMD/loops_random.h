// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), 16 blocks at a
// time.

// Numbers, and pairs of numbers, of two vectors by turns.
#define LOWER_PAIRS(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define UPPER_PAIRS(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOWER_FOURS(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23)
#define UPPER_FOURS(a, b) __builtin_shufflevector(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31)

// The products of 32-bit words, from those of the even and of the odd ones.
INLINE VU multiply_words(VU a, uint32_t factor, VU *low) {
  typedef uint64_t half __attribute__((ext_vector_type(8)));
  half factors = (half)((uint64_t)factor);
  VU even = (VU)(((half)a & 0xffffffffu) * factors), odd = (VU)(((half)a >> 32) * factors);
  *low = __builtin_shufflevector(even, odd, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
  return __builtin_shufflevector(even, odd, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
}

static void philox(size_t count, uint32_t *result, uint64_t start, uint64_t seed, uint64_t counter) {
  for (size_t i = 0; i < count; i += 4 * LANES) {
    VL block = COUNT_UP + (int64_t)((start + i) / 4);
    VU c0 = __builtin_convertvector(AS_W(block), VU);
    VU c1 = __builtin_convertvector(AS_W(block) >> 32, VU);
    VU c2 = (VU)((uint32_t)counter);
    VU c3 = (VU)((uint32_t)(counter >> 32));
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round += 1) {
      VU low0, high0 = multiply_words(c0, 0xD2511F53u, &low0);
      VU low1, high1 = multiply_words(c2, 0xCD9E8D57u, &low1);
      c0 = high1 ^ c1 ^ k0;
      c1 = low1;
      c2 = high0 ^ c3 ^ k1;
      c3 = low0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    VU first01 = LOWER_PAIRS(c0, c1), last01 = UPPER_PAIRS(c0, c1);
    VU first23 = LOWER_PAIRS(c2, c3), last23 = UPPER_PAIRS(c2, c3);
    VU words[4] = {
        LOWER_FOURS(first01, first23), UPPER_FOURS(first01, first23), LOWER_FOURS(last01, last23),
        UPPER_FOURS(last01, last23)};
    if (count - i >= 4 * LANES) {
      for (int part = 0; part < 4; part += 1) STORE(VU, result + i + part * LANES, words[part]);
    } else {
      memcpy(result + i, words, (count - i) * sizeof(uint32_t));
    }
  }
}
