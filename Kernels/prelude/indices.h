// Divisions of sizes and indices, for kernels (in OpenCL C or CUDA C++) and for C, with operands of any integer type.
// The macros may evaluate an operand twice.

// ⌈n / d⌉ for n ≥ 0 and d > 0.
#define CEIL_DIVIDE(n, d) (((n) + (d) - 1) / (d))
// The number of multiples 0, d, 2·d, … that are less than n, for d > 0.
#define MULTIPLES_BELOW(n, d) ((n) <= 0 ? 0 : CEIL_DIVIDE(n, d))
