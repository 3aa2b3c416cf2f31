// Sets `row` to the address, in panel `panel` of B, of the row for the first term of segment `begin` (see vector.cl).
//
// Parameters: $B, $bStride, $panelStride, $rightOffset, $rightT, $terms.
GLOBAL const $rightT *row = $B + $rightOffset + panel * $panelStride + begin * $terms * $bStride;
