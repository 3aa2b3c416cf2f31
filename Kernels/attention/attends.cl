// Sets `open` to 1 in the vector lanes in which the query attends to the key. In forward.cl and queries.cl, each lane
// has one query, and iteration j of the loop around this code processes one key; in keys.cl, each lane has one key, and
// iteration j processes one query. Iterations from `remaining` on have no key or query. $distance is the number of
// positions from the key to the last key that the query attends to, in lane 0. It grows or, if $sign is −, shrinks by 1
// per lane. $OPEN is the test of the mask, if there is one. The distance is limited to ±WIDTH, so that it fits into the
// 32 bits of a lane.
//
// Parameters: $OPEN, $distance, $sign.
const i64 near = LARGER(-WIDTH, SMALLER($distance, WIDTH));
const VI open = TRUTH32((VI)((int)near) $sign LANES_I >= 0) & (VI)(j < remaining ? 1 : 0)$OPEN;
