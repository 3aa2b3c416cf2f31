// The gradients dQ of queries. Each vector lane computes the gradient of one query. The kernel recomputes the attention
// weights from the log-sum-exps that forward.cl stored.
//
//   dots     [batch, heads, queries] in the workspace: for each query, the dot product of its output and the gradient
//            of that output; keys.cl reads these dot products too
//   dQ       [batch, heads, queries, size]
//
// As in forward.cl, the lowering fills in other templates. $SCORES and $WEIGHTGRADIENTS are dots.cl with the results
// `p`, products of queries and keys, and `d`, products of gradients and values. $ADDKEYS is weighted_sum.cl with the
// weights `d`.
//
// Parameters: $ADDED, $ADDKEYS, $ATTENDS, $DROPGRADIENT, $KEEP, $QUERYITEM, $SCORES, $V, $WEIGHTGRADIENTS, $ahead,
// $block, $capacity, $dots, $dtype, $factor, $forward, $forwardOffset, $gradient, $gradientBatch, $gradientHead,
// $gradientOffset, $gradientRow, $keys, $lane, $outputCount, $queries, $query, $queryRow, $result, $resultOffset,
// $scale, $size, $width.
$QUERYITEM
const i64 position = line * $queries + first;
const i64 gradientAt = $gradientOffset + batch * $gradientBatch + head * $gradientHead + first * $gradientRow;
$V query[$capacity];
$V gradient[$capacity];
$V total[$capacity];
for (int c = 0; c < $size; c += 1) {
  query[c] = GATHER_$factor($query, queryAt + c, $queryRow, count);
  total[c] = ($V)(0);
}
$V dot = ($V)(0);
for (int c = 0; c < $width; c += 1) {
  gradient[c] = GATHER_$factor($gradient, gradientAt + c, $gradientRow, count);
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
  $SCORES
  $WEIGHTGRADIENTS
  UNROLL for (int j = 0; j < $block; j += 1) {
    $ATTENDS
    const $V weight = softmax_weight_$lane(softmax_score_$lane(p[j], $scale, $ADDED), logarithm);
    $DROPGRADIENT
    d[j] = CHOOSE_$lane(open, softmax_gradient_$lane(weight, d[j], dot, $scale), ($V)(0));
  }
  $ADDKEYS
}
for (int c = 0; c < $size; c += 1) {
  SCATTER_$dtype($result, $resultOffset + position * $size + c, $size, count, total[c]);
}
