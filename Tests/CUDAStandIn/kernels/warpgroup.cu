// A product by the wgmma instructions of one warpgroup: 64 rows of A, $columns columns of B, and as many terms as fit
// in 128 bytes. In global memory, `left` has the rows of A and `right` the columns of B, one after another (A is
// row-major, B column-major). The threads store both in local memory with the 128-byte swizzle that wgmma expects. A
// line is a row of A or a column of B:
//
//   K-major:   line → 128 bytes with its terms
//   MN-major:  block of 64 lines → term → 128 bytes with the elements of the block's lines
//
// Within 8 rows of 128 bytes, chunk c of 16 bytes of row r is at position c ^ r.
#define PLACE(row, byte) ((row) * 128 + (((byte) / 16 ^ (row) % 8) * 16) + (byte) % 16)
#define K_MAJOR_PLACE(line, term) PLACE(line, (term) * $size)
#define MN_MAJOR_PLACE(line, term) ((line) / 64 * 8192 + PLACE(term, (line) % 64 * $size))
KERNEL GROUP_SIZE(128) void warpgroup(const $T *left, const $T *right, float *result) {
  LOCAL_TILES(u8, a, 64 * 128);
  LOCAL_TILES(u8, b, $columns * 128);
  const int lid = LOCAL_ID();
  const int lane = lid % 32;
  const int terms = 128 / $size;
  for (int i = lid; i < 64 * terms; i += 128) {
    *($T *)(a + $leftMajor_PLACE(i / terms, i % terms)) = left[i];
  }
  for (int i = lid; i < $columns * terms; i += 128) {
    *($T *)(b + $rightMajor_PLACE(i / terms, i % terms)) = right[i];
  }
  ASYNC_FENCE();
  BARRIER();
  // The stride, from 8 rows of 128 bytes to the next 8, is 1024 bytes. The leading distance, from a block of 64 lines
  // to the next, is 8192 bytes; only MN-major operands use it.
  const u64 leftFactor = WGMMA_DESCRIPTOR(a, 8192, 1024, $swizzle);
  const u64 rightFactor = WGMMA_DESCRIPTOR(b, 8192, 1024, $swizzle);
  float d[$columns / 2];
  UNROLL for (int i = 0; i < $columns / 2; i += 1) d[i] = 7;
  $REGISTERS
  WGMMA_KEEP(d);
  WGMMA_FENCE();
  UNROLL for (int step = 0; step < 4; step += 1) {
    // A step has 32 bytes of terms: 32 bytes of each row if K-major, and 16 rows of 128 bytes if MN-major.
    const u64 leftStep = WGMMA_ADVANCE(leftFactor, step * $leftAdvance);
    const u64 rightStep = WGMMA_ADVANCE(rightFactor, step * $rightAdvance);
    $PRODUCT
  }
  WGMMA_COMMIT();
  WGMMA_WAIT(0);
  WGMMA_KEEP(d);
  UNROLL for (int i = 0; i < $columns / 2; i += 1) {
    const int row = lid / 32 * 16 + lane / 4 + i / 2 % 2 * 8;
    const int column = i / 4 * 8 + lane % 4 * 2 + i % 2;
    result[row * $columns + column] = d[i];
  }
}
