// The loops of the operations (rows) of elementwise.def for one lane (arithmetic type), and the table of these loops.
// The other loops that exist for each lane are included at the end. loops.h includes this file once for each lane, with
// LANE (see lane.h), SCALAR (the type of an element) and MASK (the type of a comparison's result) defined.

#include "../../Kernels/prelude/lane.h"

#define LANE_TABLE(name) FN(table_##name)

#if LANE_IS_FLOAT
// The operations as functions, for loops that compute several operations.
#undef VALUE
#define VALUE(name) FN(value_##name)
#define UNARY(name, cost, expression) \
  INLINE V VALUE(name)(V a) { return expression; }
#define BINARY(name, cost, expression) \
  INLINE V VALUE(name)(V a, V b) { return expression; }
#define TEST1(name, cost, expression)
#define TEST2(name, cost, expression)
#define FROM_INT(name, cost, expression)
#include "../../Kernels/elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST1
#undef TEST2
#undef FROM_INT
#include "../../Kernels/attention/weights.h"
#endif

#define UNARY(name, cost, expression)                                   \
  DEFINE_LOOP(ROW(name), V, BYTES_OF(V), 1, SIZES(BYTES_OF(V), 0, 0), { \
    V a = OPERAND(V, 0);                                                \
    r = expression;                                                     \
  })
#define BINARY(name, cost, expression)                                            \
  DEFINE_LOOP(ROW(name), V, BYTES_OF(V), 2, SIZES(BYTES_OF(V), BYTES_OF(V), 0), { \
    V a = OPERAND(V, 0);                                                          \
    V b = OPERAND(V, 1);                                                          \
    r = expression;                                                               \
  })
// Each comparison becomes two loops: ROW(name) writes 32-bit results, which other loops read as operands; TRUTHS(name)
// writes one byte for each result, the format of booleans in memory.
#define TRUTHS(name) FN(truths_##name)
#define TEST1_OF(loop, name, R, R_BYTES, expression)                 \
  DEFINE_LOOP(loop(name), R, R_BYTES, 1, SIZES(BYTES_OF(V), 0, 0), { \
    V a = OPERAND(V, 0);                                             \
    r = expression;                                                  \
  })
#define TEST2_OF(loop, name, R, R_BYTES, expression)                           \
  DEFINE_LOOP(loop(name), R, R_BYTES, 2, SIZES(BYTES_OF(V), BYTES_OF(V), 0), { \
    V a = OPERAND(V, 0);                                                       \
    V b = OPERAND(V, 1);                                                       \
    r = expression;                                                            \
  })
#define TEST1(name, cost, expression)    \
  TEST1_OF(ROW, name, VI, 4, expression) \
  TEST1_OF(TRUTHS, name, bytes16, 1, to_bytes(expression))
#define TEST2(name, cost, expression)    \
  TEST2_OF(ROW, name, VI, 4, expression) \
  TEST2_OF(TRUTHS, name, bytes16, 1, to_bytes(expression))
#define FROM_INT(name, cost, expression)                      \
  DEFINE_LOOP(ROW(name), V, BYTES_OF(V), 1, SIZES(4, 0, 0), { \
    VI a = OPERAND(VI, 0);                                    \
    r = expression;                                           \
  })
#include "../../Kernels/elementwise.def"

DEFINE_LOOP(FN(select), V, BYTES_OF(V), 3, SIZES(4, BYTES_OF(V), BYTES_OF(V)), {
  MASK m = MASK_OF(OPERAND(VI, 0) != 0);
  V a = OPERAND(V, 1);
  V b = OPERAND(V, 2);
  r = SELECT(m, a, b);
})

#if LANE_IS_FLOAT
// The operations of `FusedRow` in ApusCPU. Each computes two operations of elementwise.def in one loop.
#define TERNARY(name, expression)                                                           \
  DEFINE_LOOP(ROW(name), V, BYTES_OF(V), 3, SIZES(BYTES_OF(V), BYTES_OF(V), BYTES_OF(V)), { \
    V a = OPERAND(V, 0);                                                                    \
    V b = OPERAND(V, 1);                                                                    \
    V c = OPERAND(V, 2);                                                                    \
    r = expression;                                                                         \
  })
BINARY(exp_difference, , FN(softmax_weight)(a, b))
TERNARY(multiply_add, VALUE(add)(VALUE(multiply)(a, b), c))
TERNARY(subtract_product, VALUE(subtract)(c, VALUE(multiply)(a, b)))
#undef TERNARY
#endif

#undef UNARY
#undef BINARY
#undef TEST1
#undef TEST2
#undef TEST1_OF
#undef TEST2_OF
#undef FROM_INT
#define UNARY(name, cost, expression) {#name, ROW(name), NULL},
#define BINARY(name, cost, expression) {#name, ROW(name), NULL},
#define TEST1(name, cost, expression) {#name, ROW(name), TRUTHS(name)},
#define TEST2(name, cost, expression) {#name, ROW(name), TRUTHS(name)},
#define FROM_INT(name, cost, expression) {#name, ROW(name), NULL},
static const csimd_row LANE_TABLE(rows)[] = {
#include "../../Kernels/elementwise.def"
#if LANE_IS_FLOAT
    // clang-format off
  BINARY(exp_difference, , ) UNARY(multiply_add, , ) UNARY(subtract_product, , )
// clang-format on
#endif
};
#undef UNARY
#undef BINARY
#undef TEST1
#undef TEST2
#undef TRUTHS
#undef FROM_INT

#include "loops_reduce.h"
#include "loops_pooling.h"
#if LANE_IS_FLOAT
#include "loops_attention.h"
#include "loops_matmul.h"
#include "loops_matvec.h"
#include "loops_recurrent.h"
#include "loops_softmax.h"
#undef VALUE
#endif
#undef LANE_TABLE
