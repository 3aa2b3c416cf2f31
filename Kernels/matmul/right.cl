// Sets `row` to the address of the first row of segment `begin` in panel `panel` of B. A segment is $terms consecutive
// rows of B, and a panel is the part of B in the columns of one tile of the result (see vector.cl).
//
//   $B, $rightOffset: the array with B, of C type $rightT, and the offset of B
//   $bStride, $panelStride: the distance from one row of a panel to the next, and from one panel to the next
//
// Parameters: $B, $bStride, $panelStride, $rightOffset, $rightT, $terms.
GLOBAL const $rightT *row = $B + $rightOffset + panel * $panelStride + begin * $terms * $bStride;
