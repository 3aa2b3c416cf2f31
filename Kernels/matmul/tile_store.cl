// Stores in local memory the elements that tile_fetch.cl loaded. In local memory, the $extent elements of a term are
// contiguous and are followed by 4 elements of padding.
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
