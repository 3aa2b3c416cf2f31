// A matrix product with warpgroup MMA (wgmma instructions, see prelude/hopper.h). Each work-group computes a tile of
// $tileRows × $tileColumns results. A step adds $depth terms, which are 128 bytes of a row or column. The last
// warpgroup is the producer: it copies the factors of each step by TMA to one of $stages stages of local memory. A
// stage has two mbarriers: `full` says that its factors have arrived, and `empty` that it may be overwritten. The other
// $consumers warpgroups multiply the factors; each computes 64 rows of results. At the end, these warpgroups store
// their sums in local memory. From there, neighboring work-items store neighboring results, so that stores to global
// memory are coalesced.
//
//   group → (batch, tile row, tile column)
//
//   $COPYLEFT, $COPYRIGHT: start the TMA copies of the terms of one step, which begin at `start`, to `left` and
//       `right`. The mbarrier `full + stage` counts the copied bytes.
//   $leftWords, $rightWords: the size of each factor in one step, in words of 4 bytes
//   $leftLeading, $rightLeading: `leading` of WGMMA_DESCRIPTOR: the distance in bytes, in local memory, from 64 rows or
//       columns to the next 64; 0 if the terms of a row or column are contiguous
//   $leftAdvance, $rightAdvance: the distance in bytes, in local memory, from 16 terms to the next 16
//   $multiply: the function that issues a wgmma, such as WGMMA_bfloat16_m64n128<K_MAJOR, MN_MAJOR>
//   $BATCH, $OUTPUT, $begin, $end, $rows, $columns, $rowTiles, $columnTiles: see matrix.cl
//   $ROW, $EPILOGUE: see vector.cl
//
// Parameters: $BATCH, $COPYLEFT, $COPYRIGHT, $EPILOGUE, $OUTPUT, $ROW, $V, $begin, $columnTiles, $columns, $consumers,
// $depth, $end, $index, $leftAdvance, $leftLeading, $leftWords, $multiply, $rightAdvance, $rightLeading, $rightWords,
// $rowTiles, $rows, $stages, $tileColumns, $tileRows.
$index rest = GROUP_ID();
const $index tileColumn = rest % $columnTiles;
rest = rest / $columnTiles;
const $index tileRow = rest % $rowTiles;
const $index batch = rest / $rowTiles;
$BATCH
const int lid = LOCAL_ID();
const int warpgroup = lid / 128;
u64 *const full = (u64 *)(tiles + $stages * ($leftWords + $rightWords));
u64 *const empty = full + $stages;
if (lid == 0) {
  for (int stage = 0; stage < $stages; stage += 1) {
    MBARRIER_INIT(full + stage, 1);
    // One work-item of each warp that multiplies arrives.
    MBARRIER_INIT(empty + stage, $consumers * 4);
  }
  MBARRIER_FENCE();
}
BARRIER();
const int steps = (int)(($end - $begin + $depth - 1) / $depth);
if (warpgroup == $consumers) {
  REGISTERS_DECREASE(40);
  if (lid % 128 == 0) {
    int stage = 0;
    int parity = 1;
    for (int step = 0; step < steps; step += 1) {
      MBARRIER_WAIT(empty + stage, parity);
      MBARRIER_EXPECT(full + stage, ($leftWords + $rightWords) * 4);
      const int start = (int)$begin + step * $depth;
      u32 *const left = tiles + stage * ($leftWords + $rightWords);
      u32 *const right = left + $leftWords;
      $COPYLEFT
      $COPYRIGHT
      stage += 1;
      if (stage == $stages) {
        stage = 0;
        parity ^= 1;
      }
    }
  }
} else {
  REGISTERS_INCREASE(232);
  const int lane = lid % 32;
  float sums[$tileColumns / 2];
  UNROLL for (int i = 0; i < $tileColumns / 2; i += 1) sums[i] = 0;
  int stage = 0;
  int parity = 0;
  for (int step = 0; step < steps; step += 1) {
    MBARRIER_WAIT(full + stage, parity);
    const u32 *const left = tiles + stage * ($leftWords + $rightWords);
    const u32 *const right = left + $leftWords;
    // 64 rows of 128 bytes have 2048 words.
    const u64 a = WGMMA_DESCRIPTOR(left + warpgroup * 2048, $leftLeading, 1024, WGMMA_128B);
    const u64 b = WGMMA_DESCRIPTOR(right, $rightLeading, 1024, WGMMA_128B);
    WGMMA_KEEP(sums);
    WGMMA_FENCE();
    UNROLL for (int k = 0; k < 4; k += 1) {
      $multiply(sums, WGMMA_ADVANCE(a, k * $leftAdvance), WGMMA_ADVANCE(b, k * $rightAdvance), 1);
    }
    WGMMA_COMMIT();
    // After this wait, the products of the previous step are complete, so the producer may overwrite its stage.
    WGMMA_WAIT(1);
    if (step > 0 && lane == 0) MBARRIER_ARRIVE(empty + (stage == 0 ? $stages : stage) - 1);
    stage += 1;
    if (stage == $stages) {
      stage = 0;
      parity ^= 1;
    }
  }
  WGMMA_WAIT(0);
  WGMMA_KEEP(sums);
  // After this barrier, no warpgroup reads the factors any more, so the sums may overwrite them.
  NAMED_BARRIER(1, $consumers * 128);
  float *const results = (float *)tiles + warpgroup * 64 * ($tileColumns + 8);
  UNROLL for (int i = 0; i < $tileColumns / 2; i += 1) {
    const int row = lid % 128 / 32 * 16 + i / 2 % 2 * 8 + lane / 4;
    const int column = i / 4 * 8 + lane % 4 * 2 + i % 2;
    results[row * ($tileColumns + 8) + column] = sums[i];
  }
  NAMED_BARRIER(2 + warpgroup, 128);
  for (int position = lid % 128; position < 64 * $tileColumns; position += 128) {
    const int row = position / $tileColumns;
    const $index tiledRow = tileRow * $tileRows + warpgroup * 64 + row;
    const $index tiledColumn = tileColumn * $tileColumns + position % $tileColumns;
    if (tiledRow >= $rows || tiledColumn >= $columns) continue;
    const $V core = results[row * ($tileColumns + 8) + position % $tileColumns];
    $OUTPUT
    $ROW
    $EPILOGUE
  }
}
