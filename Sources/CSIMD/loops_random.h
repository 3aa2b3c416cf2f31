// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), 16 blocks at a
// time.

static void philox(size_t count, uint32_t *result, uint64_t start, uint64_t seed, uint64_t counter) {
  for (size_t i = 0; i < count; i += 4 * LANES) {
    VL block = COUNT_UP + (int64_t)((start + i) / 4);
    VU c0 = __builtin_convertvector(AS_W(block), VU);
    VU c1 = __builtin_convertvector(AS_W(block) >> 32, VU);
    VU c2 = (VU)((uint32_t)counter);
    VU c3 = (VU)((uint32_t)(counter >> 32));
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round += 1) {
      VU high0 = multiply_high(c0, (VU)(0xD2511F53u)), low0 = c0 * 0xD2511F53u;
      VU high1 = multiply_high(c2, (VU)(0xCD9E8D57u)), low1 = c2 * 0xCD9E8D57u;
      c0 = high1 ^ c1 ^ k0;
      c1 = low1;
      c2 = high0 ^ c3 ^ k1;
      c3 = low0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    uint32_t words[4 * LANES];
    for (int lane = 0; lane < LANES; lane += 1) {
      words[4 * lane] = c0[lane];
      words[4 * lane + 1] = c1[lane];
      words[4 * lane + 2] = c2[lane];
      words[4 * lane + 3] = c3[lane];
    }
    size_t rest = count - i < 4 * LANES ? count - i : 4 * LANES;
    memcpy(result + i, words, rest * sizeof(uint32_t));
  }
}
