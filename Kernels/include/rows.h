#ifndef APUS_KERNEL_ROWS_H
#define APUS_KERNEL_ROWS_H

// The rows (operations) of elementwise.def and reduce.def as enumerations, so that a misspelled name of a row does not
// compile.

// With these definitions, the .def files contain the rows of all lanes (arithmetic types).
#define LANE_F32 0
#define LANE_I32 0
#define LANE 0
#define LANE_IS_FLOAT 1
#define LANE_IS_INTEGER 1

/// A row of `elementwise.def`.
typedef enum __attribute__((enum_extensibility(closed), swift_name("ElementwiseRow"))) {
#define UNARY(name, cost, result) APUS_ELEMENTWISE_##name __attribute__((swift_name(#name))),
#define BINARY(name, cost, result) UNARY(name, cost, result)
#define TEST1(name, cost, result) UNARY(name, cost, result)
#define TEST2(name, cost, result) UNARY(name, cost, result)
#define FROM_INT(name, cost, result) UNARY(name, cost, result)
#include "../elementwise.def"
#undef UNARY
#undef BINARY
#undef TEST1
#undef TEST2
#undef FROM_INT
} apus_elementwise_row;

/// A row of `reduce.def`.
typedef enum __attribute__((enum_extensibility(closed), swift_name("ReductionRow"))) {
#define REDUCE(name, identity, result) APUS_REDUCTION_##name __attribute__((swift_name(#name))),
#define REDUCE_INDEX(name, is_better) REDUCE(name, , )
#include "../reduce.def"
#undef REDUCE
#undef REDUCE_INDEX
} apus_reduction_row;

#undef LANE_F32
#undef LANE_I32
#undef LANE
#undef LANE_IS_FLOAT
#undef LANE_IS_INTEGER

/// The name of the row at an index of the `.def` file, or NULL if the file has no such row.
const char *_Nullable apus_elementwise_name(int row);
const char *_Nullable apus_reduction_name(int row);

/// The cost that elementwise.def gives the row.
int apus_elementwise_cost(apus_elementwise_row row);

/// The number of operands of the row: 1 or 2.
int apus_elementwise_operands(apus_elementwise_row row);

#endif
