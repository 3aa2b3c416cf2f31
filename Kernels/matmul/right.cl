// Sets `row` to the address of the elements of panel `panel` of B for the first term of segment `begin` (see
// vector.cl).
//
// Parameters: $B, $bStride, $panelStride, $rightOffset, $rightT, $terms.
GLOBAL const $rightT *row = $B + $rightOffset + panel * $panelStride + begin * $terms * $bStride;
