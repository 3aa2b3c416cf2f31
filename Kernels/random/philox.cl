// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): ten rounds over the
// counter (block, counter) under the key (seed). Lanes are neighbouring blocks of four words.
const VL block = NUMBER_i64(column);
VU c0 = AS_U(I_FROM_L(block));
VU c1 = AS_U(I_FROM_L(block >> 32));
VU c2 = AS_U(I_FROM_L($counter));
VU c3 = AS_U(I_FROM_L($counter >> 32));
VU k0 = AS_U(I_FROM_L($seed));
VU k1 = AS_U(I_FROM_L($seed >> 32));
for (int round = 0; round < 10; round += 1) {
  const VU high0 = MULTIPLY_HIGH((VU)(0xD2511F53u), c0);
  const VU high1 = MULTIPLY_HIGH((VU)(0xCD9E8D57u), c2);
  const VU low0 = c0 * 0xD2511F53u;
  const VU low1 = c2 * 0xCD9E8D57u;
  c0 = high1 ^ c1 ^ k0;
  c1 = low1;
  c2 = high0 ^ c3 ^ k1;
  c3 = low0;
  k0 = k0 + 0x9E3779B9u;
  k1 = k1 + 0xBB67AE85u;
}
// The last block may be cut short.
const $index first = 4 * column;
SCATTER_int32($result, $offset + first, 4, (int)SMALLER(($count - first + 3) / 4, ($index)count), AS_I(c0));
SCATTER_int32($result, $offset + first + 1, 4, (int)SMALLER(($count - first + 2) / 4, ($index)count), AS_I(c1));
SCATTER_int32($result, $offset + first + 2, 4, (int)SMALLER(($count - first + 1) / 4, ($index)count), AS_I(c2));
SCATTER_int32($result, $offset + first + 3, 4, (int)SMALLER(($count - first) / 4, ($index)count), AS_I(c3));
