// Loads a block of four lines (rows of the left factor or columns of the right one) with four terms each from local
// memory to registers, for simt_multiply.cl. matrix_copy.cl has stored the terms in chunks of four, which a work-item
// loads with one instruction. The work-items of a warp read different banks, or the same address.
//
//   $side: the local memory, `left` or `right`
//   $at: the position of chunk `q`, in units of 16 bytes
//   $element: the register of element `r` of the chunk
//
// Parameters: $at, $element, $side.
UNROLL for (int q = 0; q < 4; q += 1) {
  const float4 quad = LOAD_QUAD($side + ($at) * 4);
  const float loaded[4] = {quad.x, quad.y, quad.z, quad.w};
  UNROLL for (int r = 0; r < 4; r += 1) $element = loaded[r];
}
