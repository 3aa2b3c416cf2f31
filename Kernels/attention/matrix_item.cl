// The part of the results that a work-group of four warps computes with matrix units (see prelude/matrix.h): 64 rows,
// which are neighboring queries of a head or, in matrix_keys.cl, neighboring keys of a group. Each warp computes 16 of
// them. Element i of a block of sums of this work-item is in row `row + i / 2 * 8`.
//
// $head is the name `head` or `group`, and $tile the number of the group's tile of rows.
//
// Parameters: $head, $headCount, $tile, $tiles.
const i64 line = GROUP_ID() / $tiles;
const int first = (int)($tile) * 64;
const i64 batch = line / $headCount;
const i64 $head = line - batch * $headCount;
const int lid = LOCAL_ID();
const int lane = lid % 32;
const int warp = lid / 32;
const int row = first + warp * 16 + lane / 4;
