// A product with specialized warps: one warp loads tiles of both operands with TMA to a ring of two stages in local
// memory, and two warpgroups multiply the tiles with wgmma. A work-group computes a tile of 128 × 64 results in $steps
// steps of 32 terms, then the tile of the next 128 rows, until it has computed $rowTiles tiles.
//
//   group → tile of 64 columns
//   warpgroup 0 → producer; warpgroups 1 and 2 → 64 rows each
//
// A stage has 128 rows of the left operand and 64 columns of the right one, with 32 terms (64 bytes) each.
#define STAGE_BYTES (192 * 64)
KERNEL REGISTER_GROUP_SIZE(384) void ring(TENSOR_MAP left, TENSOR_MAP right, TENSOR_MAP result) {
  LOCAL_TILES(u8, stages, 2 * STAGE_BYTES);
  LOCAL_TILES(float, sums, 2 * 64 * 32);
  LOCAL_ARRAY(u64, full, 2);
  LOCAL_ARRAY(u64, empty, 2);
  const int lid = LOCAL_ID();
  const int warpgroup = lid / 128;
  const int tileColumn = GROUP_ID() * 64;
  if (lid == 0) {
    for (int i = 0; i < 2; i += 1) {
      MBARRIER_INIT(&full[i], 1);
      MBARRIER_INIT(&empty[i], 2);
    }
    MBARRIER_FENCE();
  }
  BARRIER();
  if (warpgroup == 0) {
    REGISTERS_DECREASE(40);
    if (lid >= 32 || !ELECT()) return;
    for (int turn = 0; turn < $rowTiles * $steps; turn += 1) {
      u8 *const stage = stages + turn % 2 * STAGE_BYTES;
      const int row = turn / $steps * 128;
      const int term = turn % $steps * 32;
      MBARRIER_WAIT(&empty[turn % 2], turn / 2 % 2 ^ 1);
      MBARRIER_EXPECT(&full[turn % 2], STAGE_BYTES);
      TMA_LOAD_2D(stage, &left, term, row, &full[turn % 2]);
      TMA_LOAD_2D(stage + 128 * 64, &right, term, tileColumn, &full[turn % 2]);
    }
    return;
  }
  REGISTERS_INCREASE(224);
  const int part = warpgroup - 1;
  const int lane = lid % 32;
  float *const own = sums + part * 64 * 32;
  float d[32];
  UNROLL for (int i = 0; i < 32; i += 1) d[i] = 0;
  for (int turn = 0; turn < $rowTiles * $steps; turn += 1) {
    u8 *const stage = stages + turn % 2 * STAGE_BYTES;
    // The stride, the distance from 8 rows of 64 bytes to the next 8, is 512 bytes.
    const u64 leftFactor = WGMMA_DESCRIPTOR(stage + part * 64 * 64, 0, 512, WGMMA_64B);
    const u64 rightFactor = WGMMA_DESCRIPTOR(stage + 128 * 64, 0, 512, WGMMA_64B);
    MBARRIER_WAIT(&full[turn % 2], turn / 2 % 2);
    WGMMA_KEEP(d);
    WGMMA_FENCE();
    WGMMA_bfloat16_m64n64(d, leftFactor, rightFactor, turn % $steps > 0);
    WGMMA_bfloat16_m64n64(d, WGMMA_ADVANCE(leftFactor, 32), WGMMA_ADVANCE(rightFactor, 32), 1);
    WGMMA_COMMIT();
    WGMMA_WAIT(0);
    WGMMA_KEEP(d);
    if (lid % 128 == 0) MBARRIER_ARRIVE(&empty[turn % 2]);
    if (turn % $steps < $steps - 1) continue;
    UNROLL for (int half = 0; half < 2; half += 1) {
      // The last TMA store must have read `own` before the threads overwrite it.
      if (lid % 128 == 0) TMA_WAIT_READ(0);
      NAMED_BARRIER(1 + part, 128);
      UNROLL for (int i = 0; i < 16; i += 1) {
        const int row = lid % 128 / 32 * 16 + lane / 4 + i / 2 % 2 * 8;
        const int column = i / 4 * 8 + lane % 4 * 2 + i % 2;
        own[row * 32 + ((column / 4 ^ row % 8) * 4) + column % 4] = d[half * 16 + i];
      }
      ASYNC_FENCE();
      NAMED_BARRIER(1 + part, 128);
      if (lid % 128 == 0) {
        TMA_STORE_2D(&result, own, tileColumn + half * 32, turn / $steps * 128 + part * 64);
        TMA_COMMIT();
      }
    }
  }
  if (lid % 128 == 0) TMA_WAIT(0);
}
