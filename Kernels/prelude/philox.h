// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), for C, OpenCL C and CUDA. Each
// lane (element) of a register computes one block, that is, four random words of 32 bits. Included after
// prelude/math.h.

// The C loops define these two macros before they include this file, because the words of their keys are scalars, and
// because one multiplication computes both words of a product.
//   PHILOX_KEY                             the type of a word of the key and of the second half of the counter
//   PHILOX_PRODUCT(high, low, a, factor)   sets high and low to the upper and lower words of the 64-bit products
//                                          a · factor; high, low and a are VUs (registers of 32-bit words)
#ifndef PHILOX_KEY
#define PHILOX_KEY VU
#define PHILOX_PRODUCT(high, low, a, factor) high = MULTIPLY_HIGH((VU)(factor), a), low = (a) * factor
#endif

// Ten rounds over the counter in `words` under the key; the result replaces the counter.
INLINE void philox_rounds(VU *words, PHILOX_KEY k0, PHILOX_KEY k1) {
  VU c0 = words[0], c1 = words[1], c2 = words[2], c3 = words[3];
  for (int round = 0; round < 10; round += 1) {
    VU high0, low0, high1, low1;
    PHILOX_PRODUCT(high0, low0, c0, 0xD2511F53u);
    PHILOX_PRODUCT(high1, low1, c2, 0xCD9E8D57u);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = k0 + 0x9E3779B9u;
    k1 = k1 + 0xBB67AE85u;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

// Computes in each lane the four random words of block `number` of a stream: Philox of the 128-bit value whose lower
// half is `number` and whose upper half is `counter`, under the key `seed`. The arguments are the lower and upper words
// of these 64-bit numbers.
INLINE void philox_block(
    VU number0, VU number1, PHILOX_KEY counter0, PHILOX_KEY counter1, PHILOX_KEY seed0, PHILOX_KEY seed1, VU *words) {
  words[0] = number0;
  words[1] = number1;
  words[2] = (VU)(counter0);
  words[3] = (VU)(counter1);
  philox_rounds(words, seed0, seed1);
}

// The mask of the words whose upper 24 bits are below `bound`: dropout keeps the elements of these words.
#define KEEPS(word, bound) (AS_I((word) >> 8) < (bound))

// Returns, in each lane, the word with the index `position mod 4` of the lane's block.
INLINE VI philox_word(const VU *words, VI position) {
  const VI index = position & 3;
  const VI lower = SELECT_I((index & 1) != 0, AS_I(words[1]), AS_I(words[0]));
  const VI upper = SELECT_I((index & 1) != 0, AS_I(words[3]), AS_I(words[2]));
  return SELECT_I(index > 1, upper, lower);
}
