// Words of a stream. Lanes are neighbouring blocks of four words.
VU words[4];
random_words(NUMBER_i64(column), $counter, $seed, words);
// The last block may be cut short.
const $index first = 4 * column;
UNROLL for (int i = 0; i < 4; i += 1) {
  const int held = (int)SMALLER(($count - first + 3 - i) / 4, ($index)count);
  SCATTER_int32($result, $offset + first + i, 4, held, AS_I(words[i]));
}
