// The gradients dQ as in queries.cl, with matrix units. A work-group computes the gradients of 64 queries of a head and
// iterates over the keys in blocks of $columns. See matrix_forward.cl for the parts that the lowering fills in. $SCORES
// and $WEIGHTGRADIENTS are matrix_products.cl with the sums `p` and `d`. $ADDKEYS is matrix_sums.cl with the weights
// `d`. $DROPGRADIENT applies dropout to the gradient of a weight.
//
// Local memory (`tiles`) has $rowWords words of 4 bytes for the queries and $gradientWords words for the gradients of
// their outputs, then two stages, each with $keyWords words for keys and $valueWords words for values. $element is the
// index of element c of row `at` in the copy of the gradients, an array of 16-bit elements.
//
// Parameters: $ADDED, $ADDKEYS, $COPYGRADIENTS, $COPYKEYS, $COPYQUERIES, $COPYVALUES, $DROPGRADIENT, $ITEM, $KEEP,
// $MASK, $OPEN, $SCORES, $STORE, $WEIGHTGRADIENTS, $ahead, $columns, $dots, $element, $factor, $forward,
// $forwardOffset, $gradientWords, $keySteps, $keyWords, $keys, $outputCount, $queries, $rowWords, $scale, $valueWords,
// $width.
$ITEM
$MASK
const int end = (int)LARGER((i64)0, SMALLER((i64)$keys, first + 64 + $ahead));
const int steps = (end + $columns - 1) / $columns;
float total[$keySteps * 2][4];
UNROLL for (int j = 0; j < $keySteps * 2; j += 1) {
  UNROLL for (int i = 0; i < 4; i += 1) total[j][i] = 0;
}
float dot[2] = {0, 0};
float logarithm[2];
u32 *const gradients = tiles + $rowWords;
$COPYQUERIES
$COPYGRADIENTS
COPY_ASYNC_COMMIT();
for (int step = -1; step < steps; step += 1) {
  if (step >= 0) {
    COPY_ASYNC_WAIT(0);
    BARRIER();
  }
  if (step + 1 < steps) {
    const int start = (step + 1) * $columns;
    u32 *const keys = gradients + $gradientWords + (step + 1) % 2 * ($keyWords + $valueWords);
    u32 *const values = keys + $keyWords;
    $COPYKEYS
    $COPYVALUES
  }
  COPY_ASYNC_COMMIT();
  if (step < 0) {
    COPY_ASYNC_WAIT(1);
    BARRIER();
    UNROLL for (int h = 0; h < 2; h += 1) {
      const int at = warp * 16 + lane / 4 + h * 8;
      const i64 position = line * $queries + SMALLER(first + at, (int)$queries - 1);
      for (int c = lane % 4; c < $width; c += 4) {
        const float gradient = SPLAT_$factor((const u16 *)gradients, $element);
        dot[h] = FMA(gradient, $forward[$forwardOffset + position * $width + c], dot[h]);
      }
      UNROLL for (int distance = 1; distance < 4; distance *= 2) dot[h] += SHUFFLE_XOR(dot[h], distance);
      logarithm[h] = $forward[$forwardOffset + $outputCount + position];
      if (lane % 4 == 0 && row + h * 8 < $queries) $dots[position] = dot[h];
    }
    continue;
  }
  const int start = step * $columns;
  // Whether each query of the work-group attends to each key of the block, apart from the mask.
  const int isWhole = start + $columns <= $keys && start + $columns - 1 <= first + $ahead;
  const u32 *const keys = gradients + $gradientWords + step % 2 * ($keyWords + $valueWords);
  const u32 *const values = keys + $keyWords;
  $KEEP
  float p[$columns / 8][4], d[$columns / 8][4];
  $SCORES
  $WEIGHTGRADIENTS
  UNROLL for (int j = 0; j < $columns / 8; j += 1) {
    UNROLL for (int i = 0; i < 4; i += 1) {
      const int query = row + i / 2 * 8;
      const int key = start + j * 8 + lane % 4 * 2 + i % 2;
      const int open = $OPEN;
      const float weight = softmax_weight_f32(softmax_score_f32(p[j][i], $scale, $ADDED), logarithm[i / 2]);
      $DROPGRADIENT
      d[j][i] = open ? softmax_gradient_f32(weight, d[j][i], dot[i / 2], $scale) : 0;
    }
  }
  $ADDKEYS
}
$STORE
