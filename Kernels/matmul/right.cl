// The rows of a panel in memory, from the first term of a block on.
GLOBAL const $rightT *row = $B + $rightOffset + panel * $panelStride + begin * $terms * $bStride;
