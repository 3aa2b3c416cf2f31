// Sets `row` to the row of panel `panel` for the first term of segment `begin`.
//
// Parameters: $B, $bStride, $panelStride, $rightOffset, $rightT, $terms.
GLOBAL const $rightT *row = $B + $rightOffset + panel * $panelStride + begin * $terms * $bStride;
