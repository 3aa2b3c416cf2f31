// The gradients dK and dV as in keys.cl, with matrix units. A work-group computes the gradients of 64 keys of a group
// (a head of keys and values) and of their values. For each query head that reads the group, it iterates over the
// queries in blocks of $columns. See matrix_forward.cl for the parts that the lowering fills in. $SCORES and
// $WEIGHTGRADIENTS are matrix_products.cl with the sums `p` and `d`, whose rows are keys and whose columns are queries.
// $ADDQUERIES and $ADDGRADIENTS are matrix_sums.cl with the weights `d` and `p`. $DROPGRADIENT and $DROP apply dropout
// to the gradient of a weight and to the weight.
//
// Local memory (`tiles`) has $rowWords words of 4 bytes for the keys and $valueWords words for the values, then two
// stages, each with $queryWords words for queries and $gradientWords words for the gradients of their outputs.
//
// Parameters: $ADDED, $ADDGRADIENTS, $ADDQUERIES, $COPYGRADIENTS, $COPYKEYS, $COPYQUERIES, $COPYVALUES, $DROP,
// $DROPGRADIENT, $ITEM, $KEEP, $MASK, $OPEN, $SCORES, $STOREKEYS, $STOREVALUES, $WEIGHTGRADIENTS, $ahead, $columns,
// $dots, $forward, $forwardOffset, $gradientWords, $heads, $keySteps, $keys, $outputCount, $queries, $queryWords,
// $rowWords, $scale, $share, $valueSteps, $valueWords.
$ITEM
// The first query that attends to one of the 64 keys, and the number of blocks of queries in each head.
const int begin = (int)LARGER((i64)0, SMALLER((i64)$queries, first - $ahead));
const int blocks = ((int)$queries - begin + $columns - 1) / $columns;
const int steps = blocks * (int)$share;
float keyTotal[$keySteps * 2][4];
UNROLL for (int j = 0; j < $keySteps * 2; j += 1) {
  UNROLL for (int i = 0; i < 4; i += 1) keyTotal[j][i] = 0;
}
float valueTotal[$valueSteps * 2][4];
UNROLL for (int j = 0; j < $valueSteps * 2; j += 1) {
  UNROLL for (int i = 0; i < 4; i += 1) valueTotal[j][i] = 0;
}
u32 *const values = tiles + $rowWords;
$COPYKEYS
$COPYVALUES
for (int step = -1; step < steps; step += 1) {
  if (step >= 0) {
    COPY_ASYNC_WAIT(0);
    BARRIER();
  }
  if (step + 1 < steps) {
    const int start = begin + (step + 1) % blocks * $columns;
    const i64 head = group * $share + (step + 1) / blocks;
    u32 *const queries = values + $valueWords + (step + 1) % 2 * ($queryWords + $gradientWords);
    u32 *const gradients = queries + $queryWords;
    $COPYQUERIES
    $COPYGRADIENTS
  }
  COPY_ASYNC_COMMIT();
  if (step < 0) continue;
  const int start = begin + step % blocks * $columns;
  // Whether each query of the block attends to each key of the work-group, apart from the mask.
  const int isWhole = start + $columns <= $queries && first + 64 <= $keys && first + 63 <= start + $ahead;
  const i64 head = group * $share + step / blocks;
  const i64 position = (batch * $heads + head) * $queries;
  const u32 *const queries = values + $valueWords + step % 2 * ($queryWords + $gradientWords);
  const u32 *const gradients = queries + $queryWords;
  $MASK
  $KEEP
  float p[$columns / 8][4], d[$columns / 8][4];
  $SCORES
  $WEIGHTGRADIENTS
  UNROLL for (int j = 0; j < $columns / 8; j += 1) {
    UNROLL for (int i = 0; i < 4; i += 1) {
      const int key = row + i / 2 * 8;
      const int query = start + j * 8 + lane % 4 * 2 + i % 2;
      const i64 at = position + SMALLER(query, (int)$queries - 1);
      const int open = $OPEN;
      const float score = softmax_score_f32(p[j][i], $scale, $ADDED);
      p[j][i] = open ? softmax_weight_f32(score, $forward[$forwardOffset + $outputCount + at]) : 0;
      $DROPGRADIENT
      d[j][i] = open ? softmax_gradient_f32(p[j][i], d[j][i], $dots[at], $scale) : 0;
      $DROP
    }
  }
  $ADDQUERIES
  $ADDGRADIENTS
}
$STOREKEYS
$STOREVALUES
