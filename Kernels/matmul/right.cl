// The rows of a panel in memory, from the first term of a block on.
//
// Parameters: $B, $bStride, $panelStride, $rightOffset, $rightT, $terms.
GLOBAL const $rightT *row = $B + $rightOffset + panel * $panelStride + begin * $terms * $bStride;
