// Random words of 32 bits. The loops compute 16 Philox blocks (Kernels/prelude/philox.h) at a time; a block is four
// words.

// Interleave the first eight words (LOWER) or the last eight words (UPPER) of two vectors. PAIRS alternates between one
// word of `a` and one of `b`, FOURS between two words of `a` and two of `b`.
#define LOWER_PAIRS(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define UPPER_PAIRS(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOWER_FOURS(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23)
#define UPPER_FOURS(a, b) __builtin_shufflevector(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31)

// The 64-bit products of 32-bit words: returns the high words and sets `low`. Even and odd words are multiplied
// separately.
INLINE VU multiply_words(VU a, uint32_t factor, VU *low) {
  typedef uint64_t half __attribute__((ext_vector_type(8)));
  half factors = (half)((uint64_t)factor);
  VU even = (VU)(((half)a & 0xffffffffu) * factors), odd = (VU)(((half)a >> 32) * factors);
  *low = __builtin_shufflevector(even, odd, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
  return __builtin_shufflevector(even, odd, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
}

#define PHILOX_KEY uint32_t
#define PHILOX_PRODUCT(high, low, a, factor) high = multiply_words(a, factor, &low)
#include "../../Kernels/prelude/philox.h"

// Computes the four words of each of 16 Philox blocks, one block in each vector lane.
INLINE void philox_blocks(VL block, uint64_t seed, uint64_t counter, VU words[4]) {
  VU lower = __builtin_convertvector(AS_W(block), VU), upper = __builtin_convertvector(AS_W(block) >> 32, VU);
  philox_block(
      lower, upper, (uint32_t)counter, (uint32_t)(counter >> 32), (uint32_t)seed, (uint32_t)(seed >> 32), words);
}

// Writes words `start ..< start + count` of a stream.
static void philox(size_t count, uint32_t *result, uint64_t start, uint64_t seed, uint64_t counter) {
  size_t skew = start % 4;
  for (size_t i = 0; i < count; skew = 0) {
    VU c[4];
    philox_blocks(COUNT_UP + (int64_t)((start + i) / 4), seed, counter, c);
    VU first01 = LOWER_PAIRS(c[0], c[1]), last01 = UPPER_PAIRS(c[0], c[1]);
    VU first23 = LOWER_PAIRS(c[2], c[3]), last23 = UPPER_PAIRS(c[2], c[3]);
    VU words[4] = {
        LOWER_FOURS(first01, first23), UPPER_FOURS(first01, first23), LOWER_FOURS(last01, last23),
        UPPER_FOURS(last01, last23)};
    size_t available = 4 * LANES - skew, copied = count - i < available ? count - i : available;
    if (copied == 4 * LANES) {
      for (int part = 0; part < 4; part += 1) STORE(VU, result + i + part * LANES, words[part]);
    } else {
      memcpy(result + i, (const char *)words + skew * sizeof(uint32_t), copied * sizeof(uint32_t));
    }
    i += copied;
  }
}

// Writes up to LANES words at arbitrary positions.
INLINE void philox_words(size_t count, uint32_t *result, VL number, uint64_t seed, uint64_t counter) {
  VU words[4];
  philox_blocks(number >> 2, seed, counter, words);
  VI word = philox_word(words, __builtin_convertvector(number, VI));
  memcpy(result, &word, count * sizeof(uint32_t));
}

// The number of elements left, at most LANES.
INLINE size_t lanes_left(size_t count, size_t start) { return count - start < LANES ? count - start : LANES; }

// The random words at the given positions. For consecutive positions, `philox` uses all four words of each block; at
// other positions, a block is computed for each word.
#define RANDOM_LOOP(name, S)                                                                              \
  INLINE int name##_follow(const S *numbers, size_t first, size_t count) {                                \
    S others = 0;                                                                                         \
    for (size_t i = first; i < first + count; i += 1) others |= numbers[i] ^ (S)(numbers[0] + (S)i);      \
    return others == 0;                                                                                   \
  }                                                                                                       \
  static void name(size_t count, void *result, const csimd_operand *operands, const csimd_hints *hints) { \
    (void)hints;                                                                                          \
    const S *numbers = operands[0].data;                                                                  \
    uint32_t *words = result;                                                                             \
    uint64_t seed = *(const uint64_t *)operands[1].data, counter = *(const uint64_t *)operands[2].data;   \
    if (operands[0].step == 0) {                                                                          \
      philox(1, words, (uint64_t)numbers[0], seed, counter);                                              \
      for (size_t i = 1; i < count; i += 1) words[i] = words[0];                                          \
      return;                                                                                             \
    }                                                                                                     \
    for (size_t i = 0; i < count;) {                                                                      \
      size_t end = i;                                                                                     \
      for (size_t part = lanes_left(count, end); part > 0 && name##_follow(numbers + i, end - i, part);   \
           part = lanes_left(count, end))                                                                 \
        end += part;                                                                                      \
      if (end > i) {                                                                                      \
        philox(end - i, words + i, (uint64_t)numbers[i], seed, counter);                                  \
        i = end;                                                                                          \
        continue;                                                                                         \
      }                                                                                                   \
      int64_t wide[LANES] = {0};                                                                          \
      size_t part = lanes_left(count, i);                                                                 \
      for (size_t k = 0; k < part; k += 1) wide[k] = numbers[i + k];                                      \
      philox_words(part, words + i, LOAD(VL, wide), seed, counter);                                       \
      i += part;                                                                                          \
    }                                                                                                     \
  }
RANDOM_LOOP(random_i32, int32_t)
RANDOM_LOOP(random_i64, int64_t)
