// The names, costs and numbers of operands of the rows (operations) of elementwise.def and reduce.def, as arrays in the
// order of the rows.

#include "rows.h"

#include <stddef.h>

#define LANE_F32 0
#define LANE_I32 0
#define LANE 0
#define LANE_IS_FLOAT 1
#define LANE_IS_INTEGER 1

#define UNARY(name, cost, result) {#name, cost, 1},
#define BINARY(name, cost, result) {#name, cost, 2},
#define TEST1(name, cost, result) UNARY(name, cost, result)
#define TEST2(name, cost, result) BINARY(name, cost, result)
#define FROM_INT(name, cost, result) UNARY(name, cost, result)
static const struct {
  const char *name;
  int cost, operands;
} elementwise[] = {
#include "elementwise.def"
};

#define REDUCE(name, identity, result) #name,
#define REDUCE_INDEX(name, is_better) REDUCE(name, , )
static const char *const reduction[] = {
#include "reduce.def"
};

#define COUNT(array) (int)(sizeof array / sizeof array[0])

const char *apus_elementwise_name(int row) {
  return row >= 0 && row < COUNT(elementwise) ? elementwise[row].name : NULL;
}

int apus_elementwise_cost(apus_elementwise_row row) { return elementwise[row].cost; }

int apus_elementwise_operands(apus_elementwise_row row) { return elementwise[row].operands; }

const char *apus_reduction_name(int row) { return row >= 0 && row < COUNT(reduction) ? reduction[row] : NULL; }
