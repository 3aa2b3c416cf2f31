// A product of one warpgroup: 64 rows of A, $columns columns of B, and as many terms as fit in 128 bytes. `left` has
// the rows of A, `right` the columns of B, each with its terms in order. The threads store both in local memory in the
// layout of the instructions with 128 bytes of swizzle.
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
  // 8 rows of 128 bytes have 1024 bytes, and a block of 64 rows 8192.
  const u64 leftFactor = WGMMA_DESCRIPTOR(a, 8192, 1024, $swizzle);
  const u64 rightFactor = WGMMA_DESCRIPTOR(b, 8192, 1024, $swizzle);
  float d[$columns / 2];
  UNROLL for (int i = 0; i < $columns / 2; i += 1) d[i] = 7;
  $REGISTERS
  WGMMA_KEEP(d);
  WGMMA_FENCE();
  UNROLL for (int step = 0; step < 4; step += 1) {
    // A step has 32 bytes of terms: 32 bytes of each row if K-major, and 16 rows if MN-major.
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
