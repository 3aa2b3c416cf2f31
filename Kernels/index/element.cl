// The element of the result [outer, extent, inner] that a work-item of a GPU computes: [outer, own, column].
//
// Parameters: $extent, $index, $inner, $total.
const $index position = ($index)GROUP_ID() * 256 + ($index)LOCAL_ID();
if (position >= $total) return;
const $index row = position / $inner;
const $index column = position - row * $inner;
const $index outer = row / $extent;
const $index own = row - outer * $extent;
