// Stores in local memory the elements that tile_fetch.cl loaded. There, each term has a row of its $extent elements and
// 4 elements of padding.
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
