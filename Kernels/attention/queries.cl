// The gradients dQ of queries. Each lane computes the gradient of one query. The kernel recomputes the attention
// weights from the log-sum-exps that forward.cl stored.
//
//   dots     [batch, heads, queries] in the workspace: for each query, the dot product of its output and the gradient
//            of that output; keys.cl reads these dot products too
//   dQ       [batch, heads, queries, size]
//
// Parameters: $ADDED, $DROPGRADIENT, $KEEP, $MASK, $OPEN, $V, $WORDS, $ahead, $block, $capacity, $dots, $dtype,
// $forward, $forwardOffset, $gradient, $gradientBatch, $gradientHead, $gradientOffset, $gradientRow, $heads, $items,
// $key, $keyBatch, $keyHead, $keyOffset, $keyRow, $keys, $lane, $localSize, $outputCount, $parts, $queries, $query,
// $queryBatch, $queryHead, $queryOffset, $queryRow, $result, $resultOffset, $scale, $share, $size, $value, $valueBatch,
// $valueHead, $valueOffset, $valueRow, $width.
const i64 item = (i64)GROUP_ID() * $localSize + LOCAL_ID();
if (item >= $items) return;
const i64 line = item / $parts;
const i64 first = (item - line * $parts) * WIDTH;
const int count = (int)SMALLER((i64)WIDTH, $queries - first);
const i64 batch = line / $heads;
const i64 head = line - batch * $heads;
const i64 group = head / $share;
const i64 position = line * $queries + first;
const i64 queryAt = $queryOffset + batch * $queryBatch + head * $queryHead + first * $queryRow;
const i64 gradientAt = $gradientOffset + batch * $gradientBatch + head * $gradientHead + first * $gradientRow;
const i64 keyAt = $keyOffset + batch * $keyBatch + group * $keyHead;
const i64 valueAt = $valueOffset + batch * $valueBatch + group * $valueHead;
$MASK
$WORDS
$V query[$capacity];
$V gradient[$capacity];
$V total[$capacity];
for (int c = 0; c < $size; c += 1) {
  query[c] = GATHER_$dtype($query, queryAt + c, $queryRow, count);
  total[c] = ($V)(0);
}
$V dot = ($V)(0);
for (int c = 0; c < $width; c += 1) {
  gradient[c] = GATHER_$dtype($gradient, gradientAt + c, $gradientRow, count);
  const $V output = GATHER_$dtype($forward, $forwardOffset + position * $width + c, $width, count);
  dot = ACCUMULATE_$lane(gradient[c], output, dot);
}
STORE_$dtype($dots, position, count, dot);
const $V logarithm = LOAD_$dtype($forward, $forwardOffset + $outputCount + position, count);
const i64 end = SMALLER((i64)$keys, first + count + $ahead);
for (i64 key = 0; key < end; key += $block) {
  const int remaining = (int)SMALLER((i64)$block, end - key);
  $KEEP
  $V p[$block];
  $V d[$block];
  i64 at[$block];
  i64 to[$block];
  UNROLL for (int j = 0; j < $block; j += 1) {
    p[j] = ($V)(0);
    d[j] = ($V)(0);
    at[j] = keyAt + (key + SMALLER(j, remaining - 1)) * $keyRow;
    to[j] = valueAt + (key + SMALLER(j, remaining - 1)) * $valueRow;
  }
  for (int c = 0; c < $size; c += 1) {
    const $V x = query[c];
    UNROLL for (int j = 0; j < $block; j += 1) p[j] = ACCUMULATE_$lane(x, ($V)($key[at[j] + c]), p[j]);
  }
  for (int c = 0; c < $width; c += 1) {
    const $V x = gradient[c];
    UNROLL for (int j = 0; j < $block; j += 1) d[j] = ACCUMULATE_$lane(x, ($V)($value[to[j] + c]), d[j]);
  }
  UNROLL for (int j = 0; j < $block; j += 1) {
    const i64 near = LARGER(-WIDTH, SMALLER(first + $ahead - key - j, WIDTH));
    const VI open = TRUTH32(LANES_I + (VI)((int)near) >= 0) & (VI)(j < remaining ? 1 : 0)$OPEN;
    const $V weight = softmax_weight_$lane(p[j] * $scale$ADDED, logarithm);
    $DROPGRADIENT
    d[j] = CHOOSE_$lane(open, softmax_gradient_$lane(weight, d[j], dot, $scale), ($V)(0));
  }
  for (int c = 0; c < $size; c += 1) {
    $V part = total[c];
    UNROLL for (int j = 0; j < $block; j += 1) part = ACCUMULATE_$lane(d[j], ($V)($key[at[j] + c]), part);
    total[c] = part;
  }
}
for (int c = 0; c < $size; c += 1) {
  SCATTER_$dtype($result, $resultOffset + position * $size + c, $size, count, total[c]);
}
