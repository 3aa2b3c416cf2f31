// Copies a box from `source` to local memory with a TMA load, and from there to `target` with a TMA store. Also stores
// the box's bytes in `raw`, in their order in local memory. `start` has the position of the box's first element in both
// tensors; the box has $bytes bytes.
KERNEL GROUP_SIZE(64) void boxes(TENSOR_MAP source, TENSOR_MAP target, const int *start, u32 *raw) {
  LOCAL_TILES(u32, box, $bytes / 4);
  LOCAL_ARRAY(u64, bar, 1);
  const int lid = LOCAL_ID();
  if (lid == 0) {
    MBARRIER_INIT(bar, 1);
    MBARRIER_FENCE();
  }
  BARRIER();
  if (lid == 0) {
    MBARRIER_EXPECT(bar, $bytes);
    $LOAD
  }
  MBARRIER_WAIT(bar, 0);
  for (int i = lid; i < $bytes / 4; i += 64) raw[i] = box[i];
  if (lid == 0) {
    $STORE
    TMA_COMMIT();
    TMA_WAIT(0);
  }
}
