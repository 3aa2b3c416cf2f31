// Sets `row` to the address of the first row of segment `begin` in panel `panel` of B. A segment is $terms consecutive
// rows of B (see vector.cl).
//
// Parameters: $B, $bStride, $panelStride, $rightOffset, $rightT, $terms.
GLOBAL const $rightT *row = $B + $rightOffset + panel * $panelStride + begin * $terms * $bStride;
