// The gradients dK of keys and dV of values. Each vector lane computes the gradients of one key of a group (a head of
// keys and values) and of its value. For each query head that reads the group, the kernel iterates over the queries
// that may attend to the key, in blocks of $block.
//
//   item     = (batch · groups + group) · parts + part      part: WIDTH neighboring keys
//   dK       [batch, groups, keys, size], in the result after dQ (queries.cl)
//   dV       [batch, groups, keys, width], after dK
//
// As in queries.cl, the lowering fills in other templates. $ITEM is item.cl; $ADDQUERIES and $ADDGRADIENTS are
// weighted_sum.cl with the weights `d` and `p`.
//
// Parameters: $ADDED, $ADDGRADIENTS, $ADDQUERIES, $ATTENDS, $DROP, $DROPGRADIENT, $ITEM, $KEEP, $MASK, $SCORES, $V,
// $WEIGHTGRADIENTS, $WORDS, $ahead, $block, $capacity, $dots, $dtype, $factor, $forward, $forwardOffset,
// $gradientBatch, $gradientHead, $gradientOffset, $heads, $key, $keyBatch, $keyCount, $keyHead, $keyOffset, $keyRow,
// $keys, $lane, $outputCount, $queries, $queryBatch, $queryCount, $queryHead, $queryOffset, $result, $resultOffset,
// $scale, $share, $size, $value, $valueBatch, $valueHead, $valueOffset, $valueRow, $width.
$ITEM
const i64 keyAt = $keyOffset + batch * $keyBatch + group * $keyHead + first * $keyRow;
const i64 valueAt = $valueOffset + batch * $valueBatch + group * $valueHead + first * $valueRow;
$V key[$capacity];
$V value[$capacity];
$V keyTotal[$capacity];
$V valueTotal[$capacity];
for (int c = 0; c < $size; c += 1) {
  key[c] = GATHER_$factor($key, keyAt + c, $keyRow, count);
  keyTotal[c] = ($V)(0);
}
for (int c = 0; c < $width; c += 1) {
  value[c] = GATHER_$factor($value, valueAt + c, $valueRow, count);
  valueTotal[c] = ($V)(0);
}
for (i64 head = group * $share; head < (group + 1) * $share; head += 1) {
  const i64 queryAt = $queryOffset + batch * $queryBatch + head * $queryHead;
  const i64 gradientAt = $gradientOffset + batch * $gradientBatch + head * $gradientHead;
  const i64 position = (batch * $heads + head) * $queries;
  $MASK
  $WORDS
  for (i64 query = LARGER((i64)0, first - $ahead); query < $queries; query += $block) {
    const int remaining = (int)SMALLER((i64)$block, $queries - query);
    $KEEP
    $V p[$block];
    $V d[$block];
    i64 at[$block];
    i64 to[$block];
    $SCORES
    $WEIGHTGRADIENTS
    UNROLL for (int j = 0; j < $block; j += 1) {
      const i64 row = position + query + SMALLER(j, remaining - 1);
      $ATTENDS
      const $V logarithm = ($V)($forward[$forwardOffset + $outputCount + row]);
      const $V score = softmax_score_$lane(p[j], $scale, $ADDED);
      p[j] = CHOOSE_$lane(open, softmax_weight_$lane(score, logarithm), ($V)(0));
      $DROPGRADIENT
      d[j] = CHOOSE_$lane(open, softmax_gradient_$lane(p[j], d[j], ($V)($dots[row]), $scale), ($V)(0));
      $DROP
    }
    $ADDQUERIES
    $ADDGRADIENTS
  }
}
const i64 to = line * $keys + first;
for (int c = 0; c < $size; c += 1) {
  SCATTER_$dtype($result, $resultOffset + $queryCount + to * $size + c, $size, count, keyTotal[c]);
}
for (int c = 0; c < $width; c += 1) {
  SCATTER_$dtype($result, $resultOffset + $queryCount + $keyCount + to * $width + c, $width, count, valueTotal[c]);
}
