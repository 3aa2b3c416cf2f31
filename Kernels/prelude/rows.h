// The functions that the rows of elementwise.def and reduce.def become in kernels. Stands ahead of them
// once; each row is then a function row_name_lane, each reduction reduce_name_lane with the constant
// function identity_name_lane, or better_name_lane for those that find places. Names are pasted before
// anything can expand them: in some dialects tanh or max is a macro.

#define UNARY(name, result)    \
  INLINE V FN(row_##name)(V a) {    \
    return result;             \
  }
#define BINARY(name, result)     \
  INLINE V FN(row_##name)(V a, V b) { \
    return result;               \
  }
#define TEST1(name, result) \
  INLINE VI FN(row_##name)(V a) { \
    return result;          \
  }
#define TEST2(name, result)       \
  INLINE VI FN(row_##name)(V a, V b) { \
    return result;                \
  }
#define FROM_INT(name, result)  \
  INLINE V FN(row_##name)(VI a) {    \
    return result;              \
  }
#define REDUCE(name, identity, result)       \
  INLINE V FN(identity_##name)(void) {       \
    return identity;                         \
  }                                          \
  INLINE V FN(reduce_##name)(V a, V b) {     \
    return result;                           \
  }
#define REDUCE_INDEX(name, is_better)        \
  INLINE VI FN(better_##name)(V a, V b) {    \
    return TRUTH(is_better);                 \
  }                                          \
  INLINE VI FN(same_##name)(V a, V b) {      \
    return TRUTH((a == b) | ((a != a) & (b != b))); \
  }
