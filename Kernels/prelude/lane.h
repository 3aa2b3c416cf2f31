// Names that a row (formula) of elementwise.def or reduce.def may use for one lane (arithmetic type), in addition to
// those of math.h. This file is included once per lane, after the dialect and the other preludes, with LANE defined as
// LANE_F32, LANE_I32, LANE_I64 or (only if HAS_FLOAT64 is 1) LANE_F64. The rows of that lane are included next. This
// file defines
//   V  UV            a vector of the arithmetic type, and of its unsigned counterpart (integers only)
//   UNSIGNED(a)      the bits of a V as UV
//   FN(name)         the function `name` of the preludes for this arithmetic type
//   ROW(name)        the name of the function that the row `name` becomes
//   VALUE(name)      the function that computes the row `name`; in C, where ROW(name) is a loop, another function
//   SELECT(m, a, b)  a where the mask m is true, else b
//   MINIMUM(a, b) MAXIMUM(a, b)   NaN if a or b is NaN
//   PRECEDES_MIN(a, b) PRECEDES_MAX(a, b)   masks: whether argmin or argmax prefers a to b
//   IS_FINITE(a)     a mask: whether a, of a floating-point lane, is neither infinite nor NaN
//   EITHER(a, b) BOTH(a, b)   masks: whether at least one, or each, of two integers is not 0
//   TRUTH(m)         a mask as a VI of 0 or 1
//   WRAPPING(a, op, b)   a op b; integers wrap around
//   NEGATIVE(a) MAGNITUDE(a) QUOTIENT(a, b)   −a, |a|, a / b; integers wrap around; an integer / 0 is 0
//   LEAST GREATEST   the identity of max, and the identity of min
//   LANE_BITS        the number of bits of an integer lane
//   ANY_LANE(m)      whether the mask m is true in any element of the vector (integers only)
//   LANE_IS_FLOAT LANE_IS_INTEGER   0 or 1

#define LANE_F32 1
#define LANE_F64 2
#define LANE_I32 3
#define LANE_I64 4

#undef V
#undef UV
#undef UNSIGNED
#undef FN
#undef ROW
#undef VALUE
#undef SELECT
#undef TRUTH
#undef WRAPPING
#undef NEGATIVE
#undef MAGNITUDE
#undef QUOTIENT
#undef LEAST
#undef GREATEST
#undef ANY_LANE
#undef LANE_BITS
#undef LANE_IS_FLOAT
#undef LANE_IS_INTEGER

#define SELECT(m, a, b) ((m) ? (V)(a) : (V)(b))

// The order of minima, maxima and sorting, in which NaN is preferred to every number. Scalar operands are allowed, too.
//   IS_MIN(a, b) IS_MAX(a, b)   whether the minimum or maximum of a and b is a
#define IS_MIN(a, b) (((a) < (b)) | ((a) != (a)))
#define IS_MAX(a, b) (((a) > (b)) | ((a) != (a)))
#define MINIMUM(a, b) SELECT(IS_MIN(a, b), a, b)
#define MAXIMUM(a, b) SELECT(IS_MAX(a, b), a, b)
#define PRECEDES_MIN(a, b) (((a) < (b)) | (((a) != (a)) & ((b) == (b))))
#define PRECEDES_MAX(a, b) OR_PRECEDES_MAX(0, a, b)
// m | PRECEDES_MAX(a, b). Of the possible orders of the terms, this one gives the best code when clang vectorizes loops
// over scalars.
#define OR_PRECEDES_MAX(m, a, b) ((m) | ((a) > (b)) | (((a) != (a)) & ((b) == (b))))

// A mask: whether a floating-point number, in a vector or a scalar, is neither infinite nor NaN.
#define IS_FINITE(a) ((a) - (a) == 0)

#define EITHER(a, b) (((a) | (b)) != 0)
#define BOTH(a, b) (((a) != 0) & ((b) != 0))

#if LANE == LANE_F32
#define V VF
#define FN(name) WIDE(name##_f32)
#define ROW(name) WIDE(row_##name##_f32)
#define VALUE(name) WIDE(row_##name##_f32)
#define TRUTH(m) TRUTH32(m)
#define LEAST -INFINITE_F
#define GREATEST INFINITE_F
#elif LANE == LANE_F64
#define V VD
#define FN(name) WIDE(name##_f64)
#define ROW(name) WIDE(row_##name##_f64)
#define VALUE(name) WIDE(row_##name##_f64)
#define TRUTH(m) TRUTH64(m)
#define LEAST ((V)(-1.0) / (V)(0.0))
#define GREATEST ((V)(1.0) / (V)(0.0))
#elif LANE == LANE_I32
#define V VI
#define UV VU
#define FN(name) WIDE(name##_i32)
#define ROW(name) WIDE(row_##name##_i32)
#define VALUE(name) WIDE(row_##name##_i32)
#define TRUTH(m) TRUTH32(m)
#define ANY_LANE(m) ANY32(m)
#define UNSIGNED(a) AS_U(a)
#define WRAPPING(a, op, b) AS_I(AS_U(a) op AS_U(b))
#define LANE_BITS 32
#define LEAST (V)(-0x7fffffff - 1)
#define GREATEST (V)(0x7fffffff)
#elif LANE == LANE_I64
#define V VL
#define UV VW
#define FN(name) WIDE(name##_i64)
#define ROW(name) WIDE(row_##name##_i64)
#define VALUE(name) WIDE(row_##name##_i64)
#define TRUTH(m) TRUTH64(m)
#define ANY_LANE(m) ANY64(m)
#define UNSIGNED(a) AS_W(a)
#define WRAPPING(a, op, b) AS_L(AS_W(a) op AS_W(b))
#define LANE_BITS 64
#define LEAST (V)(-0x7fffffffffffffffL - 1)
#define GREATEST (V)(0x7fffffffffffffffL)
#endif

#if LANE == LANE_F32 || LANE == LANE_F64
#define LANE_IS_FLOAT 1
#define LANE_IS_INTEGER 0
#define WRAPPING(a, op, b) ((a) op (b))
#define NEGATIVE(a) (-(a))
#define MAGNITUDE(a) FN(fabs)(a)
#define QUOTIENT(a, b) ((a) / (b))

// The remainder with the sign of the divisor, as in NumPy.
INLINE V FN(remainder)(V a, V b) {
  V r = FN(fmod)(a, b);
  V moved = SELECT((r < 0) != (b < 0), r + b, r);
  return SELECT(r == 0, SELECT(b < 0, (V)(-0.0f), (V)(0.0f)), moved);
}

// ⌊a / b⌋, consistent with the remainder as in NumPy: a = b·floor_divide + remainder.
INLINE V FN(floor_divide)(V a, V b) {
  V r = FN(fmod)(a, b);
  V q = (a - r) / b;
  q = SELECT((r != 0) & ((r < 0) != (b < 0)), q - 1, q);
  V whole = FN(floor)(q);
  whole = SELECT(q - whole > (V)(0.5f), whole + 1, whole);
  return SELECT(b == 0, a / b, SELECT(q == 0, a / b * 0, whole));
}
#else
#define LANE_IS_FLOAT 0
#define LANE_IS_INTEGER 1
#define NEGATIVE(a) WRAPPING((V)(0), -, a)
#define MAGNITUDE(a) SELECT((a) < 0, NEGATIVE(a), a)
#define QUOTIENT(a, b) FN(divide)(a, b)

// The quotient truncated toward zero; 0 for a divisor of 0. The least number divided by −1 wraps around.
INLINE V FN(divide)(V a, V b) {
  V safe = SELECT((b == 0) | ((b == -1) & (a == LEAST)), (V)(1), b);
  return SELECT(b == 0, (V)(0), a / safe);
}

// The remainder with the sign of the dividend; 0 for a divisor of 0.
INLINE V FN(fmod)(V a, V b) {
  V safe = SELECT((b == 0) | (b == -1), (V)(1), b);
  return a - a / safe * safe;
}

// The remainder with the sign of the divisor; 0 for a divisor of 0.
INLINE V FN(remainder)(V a, V b) {
  V r = FN(fmod)(a, b);
  return SELECT((r != 0) & ((r ^ b) < 0), r + b, r);
}

INLINE V FN(floor_divide)(V a, V b) {
  V q = FN(divide)(a, b);
  V r = FN(remainder)(a, b);
  // Where the signs differ and there is a remainder, truncation has rounded up.
  return SELECT((r != 0) & ((a ^ b) < 0), q - 1, q);
}

// Exponentiation by squaring; a negative exponent gives 0 except for the bases 1 and −1.
INLINE V FN(pow)(V a, V b) {
  V result = (V)(1);
  V square = a;
  UV rest = UNSIGNED(SELECT(b < 0, (V)(0), b));
  while (ANY_LANE(rest != 0)) {
    result = SELECT((rest & 1) != 0, WRAPPING(result, *, square), result);
    square = WRAPPING(square, *, square);
    rest = rest >> 1;
  }
  V inverse = SELECT(a == 1, (V)(1), SELECT(a == -1, SELECT((b & 1) != 0, (V)(-1), (V)(1)), (V)(0)));
  return SELECT(b < 0, inverse, result);
}
#endif
