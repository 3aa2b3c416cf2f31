// The weights of attention and their gradients, as an online softmax (Milakov, Gimelshein, "Online normalizer
// calculation for softmax", 2018). Included once for each floating-point lane (arithmetic type), after lane.h.
//
// The scores of a query, one for each key, come in blocks. A key is open if the query may attend to it; the scores of
// the other keys are −∞.

// The log-sum-exp of a query without open keys. It makes every weight 0. It is finite, because a search for anomalies
// (NaN or infinity) would report an infinity.
#undef NO_KEYS
#if LANE == LANE_F32
#define NO_KEYS (V)(0x1.fffffep127f)
#else
#define NO_KEYS (V)(0x1.fffffffffffffp1023)
#endif

// What is subtracted from scores whose maximum so far is `top`: the maximum or, if no key is open, 0, because −∞ − −∞
// would be NaN.
INLINE V FN(softmax_shift)(V top) { return SELECT(top == LEAST, (V)(0), top); }

// The score of an open key: the dot product of the query and the key, scaled, plus an added value. An added value of −0
// changes no score.
INLINE V FN(softmax_score)(V dot, V scale, V added) { return dot * scale + added; }

// exp(score − shift), for four purposes:
//   score                          shift              result
//   the score of a key             shift of a block   the unnormalized weight of the key
//   the maximum before the block   shift of a block   the factor that rescales the sums of earlier blocks
//   the score of a key             log-sum-exp        the weight of the key
//   an element of a row            shift of the row   its unnormalized softmax: the CPU's combined loops of rows
INLINE V FN(softmax_weight)(V score, V shift) { return FN(exp)(score - shift); }

// The log-sum-exp of all scores, from the shift of the last block and the sum of the unnormalized weights.
INLINE V FN(softmax_logarithm)(V shift, V sum) { return SELECT(sum == 0, NO_KEYS, shift + FN(log)(sum)); }

// The gradient of q · k, the dot product of a query and a key: p · (d − dot) · scale. `p` is the weight of the key, `d`
// the gradient of the weight, and `dot` the sum of p · d over all keys: the dot product of the query's output and the
// gradient of that output.
INLINE V FN(softmax_gradient)(V p, V d, V dot, V scale) { return p * (d - dot) * scale; }
