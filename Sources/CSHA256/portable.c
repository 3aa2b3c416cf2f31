#include "constants.h"
#include "csha256.h"

#include <string.h>

static inline uint32_t rotated(uint32_t word, int count) { return word >> count | word << (32 - count); }

void csha256_compress_portable(uint32_t state[8], const void *blocks, size_t count) {
  const uint8_t *bytes = blocks;
  for (; count > 0; count--, bytes += 64) {
    uint32_t w[64];
    memcpy(w, bytes, 64);
    for (int i = 0; i < 16; i++) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
      w[i] = __builtin_bswap32(w[i]);
#endif
    }
    for (int i = 16; i < 64; i++) {
      uint32_t sigma0 = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3;
      uint32_t sigma1 = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10;
      w[i] = w[i - 16] + sigma0 + w[i - 7] + sigma1;
    }
    uint32_t v[8];
    memcpy(v, state, sizeof v);
    // The standard moves the values of the eight variables a to h in each round. Here the values stay in v, and the
    // indices rotate: variable number j is v[(j - i) mod 8] in round i.
#pragma clang loop unroll_count(8)
    for (unsigned i = 0; i < 64; i++) {
      uint32_t a = v[-i & 7], b = v[(1 - i) & 7], c = v[(2 - i) & 7];
      uint32_t e = v[(4 - i) & 7], f = v[(5 - i) & 7], g = v[(6 - i) & 7];
      uint32_t *h = &v[(7 - i) & 7];
      uint32_t sum1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
      uint32_t sum0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
      uint32_t first = *h + sum1 + ((e & f) ^ (~e & g)) + round_constants[i] + w[i];
      v[(3 - i) & 7] += first;
      *h = first + sum0 + ((a & b) ^ (a & c) ^ (b & c));
    }
    for (int i = 0; i < 8; i++) state[i] += v[i];
  }
}
