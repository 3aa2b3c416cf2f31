// Sets `open` to 1 in the lanes whose query attends to the key of step j. $distance is the number of positions from
// this key to the last key that the query attends to, for lane 0. It grows by 1 per lane or, if $sign is −, shrinks.
//
// Parameters: $OPEN, $distance, $sign.
const i64 near = LARGER(-WIDTH, SMALLER($distance, WIDTH));
const VI open = TRUTH32((VI)((int)near) $sign LANES_I >= 0) & (VI)(j < remaining ? 1 : 0)$OPEN;
