// Macros that define kernel functions for the rows (formulas) of elementwise.def and reduce.def. This file is included
// once, before the rows. Each elementwise row becomes a function row_name_lane, such as row_tanh_f32, where `lane` is
// the arithmetic type. Each reduction becomes the functions reduce_name_lane and identity_name_lane or, if its result
// is an index, better_name_lane and same_name_lane. The macros paste a name before the preprocessor can expand it,
// because tanh or max is a macro in some dialects.

#define UNARY(name, cost, result) \
  INLINE V FN(row_##name)(V a) {  \
    return result;                \
  }
#define BINARY(name, cost, result)    \
  INLINE V FN(row_##name)(V a, V b) { \
    return result;                    \
  }
#define TEST1(name, cost, result) \
  INLINE VI FN(row_##name)(V a) { \
    return result;                \
  }
#define TEST2(name, cost, result)      \
  INLINE VI FN(row_##name)(V a, V b) { \
    return result;                     \
  }
#define FROM_INT(name, cost, result) \
  INLINE V FN(row_##name)(VI a) {    \
    return result;                   \
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
