// The functions that the rows of elementwise.def call, written once for C, OpenCL C and CUDA. This header has rounding,
// square root, absolute value, remainder and exponentials; the headers next to it have all others. `name_f32` computes
// a VF, `name_f64` a VD.
//
// Included after bits.h and a *dialect*, a file that defines these names for one language:
//   WIDE(name)           the name of a function: `name`, or `name##_16` where several widths coexist
//   INLINE               the qualifiers of a function
//   ALWAYS_INLINE        the qualifiers of a large function that a kernel calls in an unrolled loop. With INLINE,
//                        compilers for CPUs would not inline the function, and each call would save all registers.
//   VF VI VU             vectors of float, int and unsigned int with the same number of lanes, or scalars
//   VL VW                vectors of signed and unsigned 64-bit integers
//   VD, HAS_FLOAT64      a vector of double where HAS_FLOAT64 is 1 (else 0)
//   AS_I(x) AS_F(x) AS_U(x)   the bits of x (a VF, VI or VU) as a VI, VF or VU, respectively
//   AS_L(x) AS_W(x)      VW as VL, VL as VW
//   TO_F(i) TO_I(x)      VI to VF, rounded to nearest even; VF to VI, in range, truncated
//   MULTIPLY_HIGH(a, b)  the upper 32 bits of the products of two VU
//   FMA(a, b, c)         a·b + c of VF (in kernels, also of VD), fused where the processor supports it
//   EXACT_FMA(a, b, c)   a·b + c of VF without rounding the product
//   SQUARE_ROOT(x) ROUND(x) FLOOR(x) CEIL(x) TRUNCATE(x)   of VF; ROUND is half to even
//   LIBM_FMOD(a, b)      fmod of VF
//   SCALED(x, j)         x·2^j of VF, integral j, rounded once; not defined if there is no instruction for it
//   HAS_HALF             1 if there are instructions that convert float16 (a vector of 16-bit words):
//                        FLOAT_FROM_HALF(h), exact, and HALF_FROM_FLOAT(x), rounded to nearest even
//   LIBM1(name) LIBM2(name)   define WIDE(name##_f64) of VD as the function `name` of C's math.h; nothing
//                        where HAS_FLOAT64 is 0
//   ANY32(m) ANY64(m)    whether a mask is true in any lane; a mask is the result of a comparison, as wide as
//                        the operands: for true, -1 in vectors and 1 in scalars
//   TRUTH32(m) TRUTH64(m)   a mask as a VI of 0 or 1
// A cast from a scalar, as in (VF)(1.0f), broadcasts it; `m ? a : b` selects lane by lane.
//
// Contraction must be off: FMA is explicit where it is intended. No operation crosses lanes, so that all widths compute
// the same bits. The polynomials are minimax fits of the relative error; ApusCPUTests checks every function to 2 ULP.

#define SELECT_F(m, a, b) ((m) ? (VF)(a) : (VF)(b))
#define SELECT_I(m, a, b) ((m) ? (VI)(a) : (VI)(b))
#define INFINITE_F AS_F((VI)(0x7f800000))
#define NAN_F AS_F((VI)(0x7fc00000))
// 1.5·2²³: adding and subtracting it rounds a number below 2²² in magnitude to an integer.
#define ROUNDER 12582912.0f
#define EXPONENT_BITS (VI)(-0x00800000)
// log 2 as a sum. LOG2_HIGH has only 15 bits, so that its products with exponents are exact, even without fma.
#define LOG2_HIGH 0x1.62e4p-1f
#define LOG2_LOW 0x1.7f7d1cp-20f

// The integer j = t − ROUNDER as a float, where t is a rounded sum x + ROUNDER; *i is j as an integer.
INLINE VF WIDE(nearest_integer)(VF t, VI *i) {
  *i = AS_I(t) - AS_I((VF)(ROUNDER));
  return t - ROUNDER;
}

// The rounding error of sum = a + b (Dekker, 1971).
INLINE VF WIDE(sum_error)(VF a, VF b, VF sum) {
  VF larger = SELECT_F(ABSOLUTE_F(a) < ABSOLUTE_F(b), b, a);
  VF smaller = SELECT_F(ABSOLUTE_F(a) < ABSOLUTE_F(b), a, b);
  return (larger - sum) + smaller;
}

// (a + a_low)·(b + b_low) − product, where product is a·b, rounded; the low parts are small.
INLINE VF WIDE(product_low)(VF a, VF a_low, VF b, VF b_low, VF product) {
  return EXACT_FMA(a, b, -product) + FMA(a, b_low, a_low * b);
}

// ---- Rounding, square root, absolute value, remainder

INLINE VF WIDE(floor_f32)(VF a) { return FLOOR(a); }
LIBM1(floor)
INLINE VF WIDE(ceil_f32)(VF a) { return CEIL(a); }
LIBM1(ceil)
INLINE VF WIDE(rint_f32)(VF a) { return ROUND(a); }
LIBM1(rint)
INLINE VF WIDE(trunc_f32)(VF a) { return TRUNCATE(a); }
LIBM1(trunc)
INLINE VF WIDE(sqrt_f32)(VF a) { return SQUARE_ROOT(a); }
LIBM1(sqrt)
INLINE VF WIDE(fabs_f32)(VF a) { return ABSOLUTE_F(a); }
LIBM1(fabs)
INLINE VF WIDE(fmod_f32)(VF a, VF b) { return LIBM_FMOD(a, b); }
LIBM2(fmod)

// ---- Exponentials

// p·2^j for integral j; i is j as an integer. Results that overflow or underflow are rounded only once.
INLINE VF WIDE(scaled)(VF p, VF j, VI i) {
#ifdef SCALED
  return SCALED(p, j);
#else
  VI half_i = i >> 1;
  VI rest = i - half_i;
  return (p * AS_F((half_i + 127) << 23)) * AS_F((rest + 127) << 23);
#endif
}

// (exp(f) − 1 − f)/f² for |f| ≤ 0.35.
INLINE VF WIDE(exp_tail)(VF f) {
  VF p = FMA((VF)(1.39429001e-3f), f, (VF)(8.36903695e-3f));
  p = FMA(p, f, (VF)(4.16663773e-2f));
  p = FMA(p, f, (VF)(1.66665182e-1f));
  return FMA(p, f, (VF)(0.5f));
}

// exp(a + a_low), where a_low is small.
INLINE VF WIDE(exp_sum)(VF a, VF a_low) {
  VF f = a + a_low;
  VF p = FMA(WIDE(exp_tail)(f) * f, f, (a - f) + a_low);
  return (p + f) + 1.0f;
}

// x − j·LOG2_HIGH, where j is the integer nearest to x / log 2; *i is j as an integer.
INLINE VF WIDE(exp_split)(VF x, VF *j, VI *i) {
  *j = WIDE(nearest_integer)(FMA(x, (VF)(1.44269502f), (VF)(ROUNDER)), i);
  return FMA(*j, (VF)(-LOG2_HIGH), x);
}

// exp(high + low)·2^shift, where low is small. Results that underflow to 0 are not computed, because processors need
// about a hundred cycles to round a result below the least normal number.
INLINE VF WIDE(exp_pair)(VF high, VF low, int shift) {
  VF x = SELECT_F(high > 120.0f, (VF)(120.0f), high);
  x = SELECT_F(high < -105.0f, (VF)(0.0f), x);
  VF j;
  VI i;
  VF f = WIDE(exp_split)(x, &j, &i);
  VF r = WIDE(scaled)(WIDE(exp_sum)(f, FMA(j, (VF)(-LOG2_LOW), low)), j + (float)shift, i + shift);
  return SELECT_F(high < -105.0f, (VF)(0.0f), r);
}

// exp(a). Unlike exp_pair, ignores the rounding error of f, at most a quarter of an ULP of the result.
INLINE VF WIDE(exp_f32)(VF a) {
  VF x = SELECT_F(a > 120.0f, (VF)(120.0f), a);
  x = SELECT_F(a < -105.0f, (VF)(0.0f), x);
  VF j;
  VI i;
  VF f = WIDE(exp_split)(x, &j, &i);
  f = FMA(j, (VF)(-LOG2_LOW), f);
  VF p = FMA(FMA(WIDE(exp_tail)(f), f, (VF)(1.0f)), f, (VF)(1.0f));
  return SELECT_F(a < -105.0f, (VF)(0.0f), WIDE(scaled)(p, j, i));
}
LIBM1(exp)

// 2^(high + low), where low is small.
INLINE VF WIDE(exp2_pair)(VF high, VF low) {
  VF x = SELECT_F(high > 200.0f, (VF)(200.0f), high);
  x = SELECT_F(high < -151.0f, (VF)(0.0f), x);
  VI i;
  VF j = WIDE(nearest_integer)(x + ROUNDER, &i);
  VF f = x - j;
  VF g = f * 0.693147182f;
  VF g_low = WIDE(product_low)(f, low, (VF)(0.693147182f), (VF)(-1.90465421e-9f), g);
  VF r = WIDE(scaled)(WIDE(exp_sum)(g, g_low), j, i);
  return SELECT_F(high < -151.0f, (VF)(0.0f), r);
}

INLINE VF WIDE(exp2_f32)(VF a) { return WIDE(exp2_pair)(a, (VF)(0.0f)); }
LIBM1(exp2)

INLINE VF WIDE(expm1_f32)(VF a) {
  VF x = SELECT_F(a > 89.0f, (VF)(89.0f), a);
  x = SELECT_F(x < -30.0f, (VF)(-30.0f), x);
  VF j;
  VI i;
  VF f = WIDE(exp_split)(x, &j, &i);
  f = FMA(j, (VF)(-LOG2_LOW), f);
  VF p = FMA((VF)(1.97646907e-4f), f, (VF)(1.39327755e-3f));
  p = FMA(p, f, (VF)(8.33354332e-3f));
  p = FMA(p, f, (VF)(4.16664891e-2f));
  p = FMA(p, f, (VF)(1.66666657e-1f));
  p = FMA(p, f, (VF)(0.5f));
  VF e = FMA(p * f, f, f);
  // 2^i·e + (2^i − 1), where e = exp(f) − 1; computed at half scale so that 2^i does not overflow for i = 128.
  VF half_scale = AS_F((i + 126) << 23);
  VF r = FMA(e, half_scale, half_scale - 0.5f);
  r = SELECT_F(i == 0, e, r + r);
  return SELECT_F(a == 0.0f, a, r);
}
LIBM1(expm1)

INLINE VF WIDE(sigmoid_f32)(VF a) {
  VF t = WIDE(exp_f32)(-ABSOLUTE_F(a));
  VF d = 1.0f + t;
  VF r = SELECT_F(a < 0.0f, t, (VF)(1.0f)) / d;
  // The result is r − lost·r/d, where `lost` is the rounding error of d. 1/d is r or, for negative a, 1 − r.
  VF lost = t - (d - 1.0f);
  return FMA(-r, lost * SELECT_F(a < 0.0f, 1.0f - r, r), r);
}
#if HAS_FLOAT64
INLINE VD WIDE(sigmoid_f64)(VD a) {
  VD t = WIDE(exp_f64)(-WIDE(fabs_f64)(a));
  return (a < 0.0 ? t : (VD)(1.0)) / (1.0 + t);
}
#endif
