// Tests mbarriers, named barriers and ELECT. Warp 0 fills two slots in local memory in turn, and warp 1 empties them:
// $rounds numbers for each lane. Each slot has two mbarriers, `full` and `empty`. Then warps 0 and 1 exchange values at
// named barriers; warp 2 arrives at barrier 2 without waiting. At the end, the elected lane of each warp stores 1.
KERNEL GROUP_SIZE(96) void barriers(int *result) {
  LOCAL_ARRAY(u64, full, 2);
  LOCAL_ARRAY(u64, empty, 2);
  LOCAL_ARRAY(int, slots, 64);
  LOCAL_ARRAY(int, values, 64);
  const int lid = LOCAL_ID();
  const int lane = lid % 32;
  if (lid == 0) {
    for (int i = 0; i < 2; i += 1) {
      MBARRIER_INIT(&full[i], 32);
      MBARRIER_INIT(&empty[i], 32);
    }
    MBARRIER_FENCE();
  }
  BARRIER();
  if (lid < 32) {
    for (int round = 0; round < $rounds; round += 1) {
      const int slot = round % 2;
      MBARRIER_WAIT(&empty[slot], round / 2 % 2 ^ 1);
      slots[slot * 32 + lane] = round * 100 + lane;
      MBARRIER_ARRIVE(&full[slot]);
    }
  } else if (lid < 64) {
    for (int round = 0; round < $rounds; round += 1) {
      const int slot = round % 2;
      MBARRIER_WAIT(&full[slot], round / 2 % 2);
      result[round * 32 + lane] = slots[slot * 32 + 31 - lane];
      MBARRIER_ARRIVE(&empty[slot]);
    }
  }
  if (lid < 64) {
    values[lid] = lid;
    NAMED_BARRIER(1, 64);
    const int other = values[63 - lid];
    NAMED_BARRIER(2, 96);
    values[lid] = other + 1000;
    NAMED_BARRIER(3, 64);
    result[$rounds * 32 + lid] = values[63 - lid];
  } else {
    NAMED_BARRIER_ARRIVE(2, 96);
  }
  const int is_elected = ELECT();
  if (is_elected) result[$rounds * 32 + 64 + lid / 32] = 1;
}
