// Stores in local memory the elements that tile_fetch.cl loaded. In local memory, the $extent elements of a term are
// contiguous, and 4 elements of padding follow them.
//
//   $side: the local memory, `left` or `right`
//   $quadAlong, $quadAcross: 1 and 0 if the elements of a run are consecutive terms, else 0 and 1
//   $across, $along, $items, $next, $pieces, $quad: see tile_fetch.cl
//
// Parameters: $across, $along, $extent, $items, $next, $pieces, $quad, $quadAcross, $quadAlong, $side.
UNROLL for (int piece = 0; piece < $pieces; piece += 1) {
  const int element = lid + piece * $items;
  const int across = $across;
  const int along = $along;
  UNROLL for (int q = 0; q < $quad; q += 1) {
    $side[(along + q * $quadAlong) * ($extent + 4) + across + q * $quadAcross] = $next[piece * $quad + q];
  }
}
