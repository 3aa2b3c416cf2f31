// The element result[outer, own, column] that a work-item of a GPU computes. `own` is the index along the axis of the
// scatter or segment sum; `outer` and `column` are the combined indices of the axes before and after it. $extent and
// $inner are the extents of the axes of `own` and `column`, and $total is the number of elements of the result.
//
// Parameters: $extent, $index, $inner, $total.
const $index position = ($index)GROUP_ID() * 256 + ($index)LOCAL_ID();
if (position >= $total) return;
const $index row = position / $inner;
const $index column = position - row * $inner;
const $index outer = row / $extent;
const $index own = row - outer * $extent;
