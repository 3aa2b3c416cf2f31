// Attention for WIDTH neighboring queries of a head. Each lane computes the output of one query, and all lanes read the
// same keys.
//
//   item     = (batch · heads + head) · parts + part, the work-item's index; a part of a head has WIDTH queries
//   query    [batch, heads, queries, size]
//   key      [batch, groups, keys, size]
//   value    [batch, groups, keys, width]
//   output   [batch, heads, queries, width]
//   logs     [batch, heads, queries], stored after the output: the log-sum-exp of each query's scores
//
// $share query heads read the same head (group) of keys and values.
//
// A query attends to the keys up to $ahead positions after its own. The kernel processes keys in blocks of $block, so
// that it rescales the accumulators to a new maximum only once per block. $ATTENDS applies the mask, and $ADDED is
// the bias of a score, or −0 without a bias; $KEEP, $DROP and $FACTOR apply dropout.
//
// The lowering fills in other templates: $QUERYITEM is query_item.cl, $SCORES is dots.cl with the results `p`, $ATTENDS
// is attends.cl, and $ADDVALUES is weighted_sum.cl with the weights `p`.
//
// Parameters: $ADDED, $ADDVALUES, $ATTENDS, $DROP, $FACTOR, $KEEP, $QUERYITEM, $SCORES, $V, $ahead, $block, $capacity,
// $dtype, $factor, $keys, $lane, $outputCount, $queries, $query, $queryRow, $result, $resultOffset, $scale, $size,
// $valueRow, $width.
$QUERYITEM
const $V lowest = identity_max_$lane();
$V query[$capacity];
$V total[$capacity];
for (int c = 0; c < $size; c += 1) query[c] = GATHER_$factor($query, queryAt + c, $queryRow, count);
for (int c = 0; c < $width; c += 1) total[c] = ($V)(0);
$V maximum = lowest;
$V shift = ($V)(0);
$V sum = ($V)(0);
const i64 end = SMALLER((i64)$keys, first + count + $ahead);
for (i64 key = 0; key < end; key += $block) {
  const int remaining = (int)SMALLER((i64)$block, end - key);
  $KEEP
  $V p[$block];
  i64 at[$block];
  $SCORES
  $V top = maximum;
  UNROLL for (int j = 0; j < $block; j += 1) {
    $ATTENDS
    p[j] = CHOOSE_$lane(open, softmax_score_$lane(p[j], $scale, $ADDED), lowest);
    top = CHOOSE_$lane(row_greater_$lane(p[j], top), p[j], top);
  }
  shift = softmax_shift_$lane(top);
  const $V factor = softmax_weight_$lane(maximum, shift);
  maximum = top;
  sum = sum * factor;
  UNROLL for (int j = 0; j < $block; j += 1) {
    p[j] = softmax_weight_$lane(p[j], shift);
    sum = sum + p[j];
    $DROP
    at[j] = valueAt + (key + SMALLER(j, remaining - 1)) * $valueRow;
  }
  $ADDVALUES
}
const VI isEmpty = row_equal_$lane(sum, ($V)(0));
const $V divisor = CHOOSE_$lane(isEmpty, ($V)(1), sum);
const i64 position = line * $queries + first;
for (int c = 0; c < $width; c += 1) {
  const $V mean = row_divide_$lane(total[c], divisor)$FACTOR;
  SCATTER_$dtype($result, $resultOffset + position * $width + c, $width, count, mean);
}
const $V logarithm = softmax_logarithm_$lane(shift, sum);
STORE_$dtype($result, $resultOffset + $outputCount + position, count, logarithm);
