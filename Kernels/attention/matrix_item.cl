// Determines which results a work-group of four warps computes with matrix units (see prelude/matrix.h): those of 64
// rows, which are neighboring queries of a head or, in matrix_keys.cl, neighboring keys of a group (a head of keys and
// values). Each warp computes 16 of these rows. In a 16 × 8 block of sums, a work-item has four elements; element i is
// in row `row + i / 2 * 8`.
//
// $head is the name `head` or `group`. $tile is the index of the work-group's tile of 64 rows in this head or group,
// which has $tiles tiles.
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
