// The gradients dK of keys and dV of values. Each lane computes the gradients of one key and of its value. The kernel
// iterates over all queries of the heads that share the key, in blocks of $block.
//
//   item     = (batch · groups + group) · parts + part      part: WIDTH neighboring keys
//   dK       [batch, groups, keys, size], in the result after dQ (queries.cl)
//   dV       [batch, groups, keys, width], after dK
//
// Parameters: $ADDED, $DROP, $DROPGRADIENT, $KEEP, $MASK, $OPEN, $V, $WORDS, $ahead, $block, $capacity, $dots, $dtype,
// $forward, $forwardOffset, $gradient, $gradientBatch, $gradientHead, $gradientOffset, $gradientRow, $groups, $heads,
// $items, $key, $keyBatch, $keyCount, $keyHead, $keyOffset, $keyRow, $keys, $lane, $localSize, $outputCount, $parts,
// $queries, $query, $queryBatch, $queryCount, $queryHead, $queryOffset, $queryRow, $result, $resultOffset, $scale,
// $share, $size, $value, $valueBatch, $valueHead, $valueOffset, $valueRow, $width.
const i64 item = (i64)GROUP_ID() * $localSize + LOCAL_ID();
if (item >= $items) return;
const i64 line = item / $parts;
const i64 first = (item - line * $parts) * WIDTH;
const int count = (int)SMALLER((i64)WIDTH, $keys - first);
const i64 batch = line / $groups;
const i64 group = line - batch * $groups;
const i64 keyAt = $keyOffset + batch * $keyBatch + group * $keyHead + first * $keyRow;
const i64 valueAt = $valueOffset + batch * $valueBatch + group * $valueHead + first * $valueRow;
$V key[$capacity];
$V value[$capacity];
$V keyTotal[$capacity];
$V valueTotal[$capacity];
for (int c = 0; c < $size; c += 1) {
  key[c] = GATHER_$dtype($key, keyAt + c, $keyRow, count);
  keyTotal[c] = ($V)(0);
}
for (int c = 0; c < $width; c += 1) {
  value[c] = GATHER_$dtype($value, valueAt + c, $valueRow, count);
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
    UNROLL for (int j = 0; j < $block; j += 1) {
      p[j] = ($V)(0);
      d[j] = ($V)(0);
      at[j] = queryAt + (query + SMALLER(j, remaining - 1)) * $queryRow;
      to[j] = gradientAt + (query + SMALLER(j, remaining - 1)) * $gradientRow;
    }
    for (int c = 0; c < $size; c += 1) {
      const $V x = key[c];
      UNROLL for (int j = 0; j < $block; j += 1) p[j] = ACCUMULATE_$lane(x, ($V)($query[at[j] + c]), p[j]);
    }
    for (int c = 0; c < $width; c += 1) {
      const $V x = value[c];
      UNROLL for (int j = 0; j < $block; j += 1) d[j] = ACCUMULATE_$lane(x, ($V)($gradient[to[j] + c]), d[j]);
    }
    UNROLL for (int j = 0; j < $block; j += 1) {
      const i64 row = position + query + SMALLER(j, remaining - 1);
      const i64 near = LARGER(-WIDTH, SMALLER(query + j + $ahead - first, WIDTH));
      const VI open = TRUTH32((VI)((int)near) - LANES_I >= 0) & (VI)(j < remaining ? 1 : 0)$OPEN;
      const $V logarithm = ($V)($forward[$forwardOffset + $outputCount + row]);
      p[j] = CHOOSE_$lane(open, softmax_weight_$lane(p[j] * $scale$ADDED, logarithm), ($V)(0));
      $DROPGRADIENT
      d[j] = CHOOSE_$lane(open, softmax_gradient_$lane(p[j], d[j], ($V)($dots[row]), $scale), ($V)(0));
      $DROP
    }
    for (int c = 0; c < $size; c += 1) {
      $V part = keyTotal[c];
      UNROLL for (int j = 0; j < $block; j += 1) part = ACCUMULATE_$lane(d[j], ($V)($query[at[j] + c]), part);
      keyTotal[c] = part;
    }
    for (int c = 0; c < $width; c += 1) {
      $V part = valueTotal[c];
      UNROLL for (int j = 0; j < $block; j += 1) part = ACCUMULATE_$lane(p[j], ($V)($gradient[to[j] + c]), part);
      valueTotal[c] = part;
    }
  }
}
const i64 to = line * $keys + first;
for (int c = 0; c < $size; c += 1) {
  SCATTER_$dtype($result, $resultOffset + $queryCount + to * $size + c, $size, count, keyTotal[c]);
}
for (int c = 0; c < $width; c += 1) {
  SCATTER_$dtype($result, $resultOffset + $queryCount + $keyCount + to * $width + c, $width, count, valueTotal[c]);
}
