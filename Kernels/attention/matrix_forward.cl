// Attention as in forward.cl, with matrix units (Dao, "FlashAttention-2", 2023). A work-group computes the outputs of
// 64 queries of a head and iterates over the keys in blocks of $columns. While it processes one block, the keys and
// values of the next block are copied to local memory. The factors of products have 16 bits; scores, sums and results
// have 32 bits.
//
// The lowering fills in other templates: $ITEM is matrix_item.cl; $COPYQUERIES, $COPYKEYS and $COPYVALUES are
// matrix_copy.cl; $SCORES is matrix_products.cl with the sums `p`; $ADDVALUES is matrix_sums.cl with the weights `p`;
// $STORE is matrix_store.cl. $MASK computes where the mask and the bias of the head begin in memory. $ADDED is the bias
// of a score, or −0 without a bias. $OPEN tests whether a query attends to a key. $KEEP sets bit 4j + i of `kept` if
// dropout keeps element i of block j of the weights, and $DROP sets the other weights to 0.
//
// Local memory (`tiles`) has $rowWords words of 4 bytes for the queries, then two stages, each with $keyWords words for
// keys and $valueWords words for values.
//
// Parameters: $ADDED, $ADDVALUES, $COPYKEYS, $COPYQUERIES, $COPYVALUES, $DROP, $ITEM, $KEEP, $MASK, $OPEN, $SCORES,
// $STORE, $ahead, $columns, $keyWords, $keys, $outputCount, $queries, $result, $resultOffset, $rowWords, $scale,
// $valueSteps, $valueWords.
$ITEM
$MASK
const int end = (int)LARGER((i64)0, SMALLER((i64)$keys, first + 64 + $ahead));
const int steps = (end + $columns - 1) / $columns;
const float lowest = identity_max_f32();
float total[$valueSteps * 2][4];
UNROLL for (int j = 0; j < $valueSteps * 2; j += 1) {
  UNROLL for (int i = 0; i < 4; i += 1) total[j][i] = 0;
}
float maximum[2] = {lowest, lowest};
float shift[2] = {0, 0};
float sum[2] = {0, 0};
$COPYQUERIES
for (int step = -1; step < steps; step += 1) {
  if (step >= 0) {
    COPY_ASYNC_WAIT(0);
    BARRIER();
  }
  if (step + 1 < steps) {
    const int start = (step + 1) * $columns;
    u32 *const keys = tiles + $rowWords + (step + 1) % 2 * ($keyWords + $valueWords);
    u32 *const values = keys + $keyWords;
    $COPYKEYS
    $COPYVALUES
  }
  COPY_ASYNC_COMMIT();
  if (step < 0) continue;
  const int start = step * $columns;
  // Whether each query of the work-group attends to each key of the block, apart from the mask.
  const int isWhole = start + $columns <= $keys && start + $columns - 1 <= first + $ahead;
  const u32 *const keys = tiles + $rowWords + step % 2 * ($keyWords + $valueWords);
  const u32 *const values = keys + $keyWords;
  $KEEP
  float p[$columns / 8][4];
  $SCORES
  float factor[2], top[2] = {maximum[0], maximum[1]};
  UNROLL for (int j = 0; j < $columns / 8; j += 1) {
    UNROLL for (int i = 0; i < 4; i += 1) {
      const int query = row + i / 2 * 8;
      const int key = start + j * 8 + lane % 4 * 2 + i % 2;
      p[j][i] = $OPEN ? softmax_score_f32(p[j][i], $scale, $ADDED) : lowest;
      top[i / 2] = row_greater_f32(p[j][i], top[i / 2]) ? p[j][i] : top[i / 2];
    }
  }
  // The scores of a query are in four work-items of a warp.
  UNROLL for (int h = 0; h < 2; h += 1) {
    UNROLL for (int distance = 1; distance < 4; distance *= 2) {
      const float other = SHUFFLE_XOR(top[h], distance);
      top[h] = LARGER(top[h], other);
    }
    shift[h] = softmax_shift_f32(top[h]);
    factor[h] = softmax_weight_f32(maximum[h], shift[h]);
    maximum[h] = top[h];
    sum[h] *= factor[h];
  }
  UNROLL for (int j = 0; j < $valueSteps * 2; j += 1) {
    UNROLL for (int i = 0; i < 4; i += 1) total[j][i] *= factor[i / 2];
  }
  UNROLL for (int j = 0; j < $columns / 8; j += 1) {
    UNROLL for (int i = 0; i < 4; i += 1) {
      p[j][i] = softmax_weight_f32(p[j][i], shift[i / 2]);
      sum[i / 2] += p[j][i];
      $DROP
    }
  }
  $ADDVALUES
}
float divisor[2];
UNROLL for (int h = 0; h < 2; h += 1) {
  UNROLL for (int distance = 1; distance < 4; distance *= 2) sum[h] += SHUFFLE_XOR(sum[h], distance);
  divisor[h] = sum[h] == 0 ? 1 : sum[h];
}
$STORE
UNROLL for (int h = 0; h < 2; h += 1) {
  if (lane % 4 != 0 || row + h * 8 >= $queries) continue;
  $result[$resultOffset + $outputCount + line * $queries + row + h * 8] = softmax_logarithm_f32(shift[h], sum[h]);
}
