// Checks that SHIFT, the shuffle of a sub-group, returns the value of the work-item `span` positions further on. For
// each of 256 work-items, stores 1 if its check succeeds, else 0.
KERNEL GROUP_SIZE(256) SUBGROUPS void subgroup_probe(GLOBAL int *results, int at) {
  const int lid = LOCAL_ID();
  int isRight = 1;
  for (int span = SUBGROUP / 2; span > 0; span /= 2) {
    const int other = lid + span;
    int isEqual = SHIFT_int(lid * 0x01010101, span) == other * 0x01010101;
    isEqual &= SHIFT_float((float)lid + 0.5f, span) == (float)other + 0.5f;
    isEqual &= SHIFT_i64((i64)lid << 30, span) == (i64)other << 30;
#if HAS_FLOAT64
    isEqual &= SHIFT_double((double)lid + 0x1p-40, span) == (double)other + 0x1p-40;
#endif
    if (lid % SUBGROUP + span < SUBGROUP) isRight &= isEqual;
  }
  results[at + lid] = isRight;
}
