// The hyperbolic functions and their inverses. Included after logarithm.h, in the same dialect.

INLINE VF WIDE(tanh_f32)(VF a) {
  VF t = ABSOLUTE_F(a);
  VF s = a * a;
  VF p = FMA((VF)(-5.69446804e-3f), s, (VF)(2.06298362e-2f));
  p = FMA(p, s, (VF)(-5.37369177e-2f));
  p = FMA(p, s, (VF)(0.133314088f));
  p = FMA(p, s, (VF)(-0.333332807f));
  VF near = FMA(p * s, t, t);
  VF far = 1.0f - 2.0f / (1.0f + WIDE(exp_f32)(t + t));
  return WITH_SIGN_OF(SELECT_F(t < 0.625f, near, far), a);
}
LIBM1(tanh)

// sinh t = e − 1 / (4e) and cosh t = e + 1 / (4e) with e = exp(t) / 2, which overflows only where the results do.
INLINE VF WIDE(sinh_f32)(VF a) {
  VF t = ABSOLUTE_F(a);
  VF s = a * a;
  VF p = FMA((VF)(2.78221319e-6f), s, (VF)(1.98428956e-4f));
  p = FMA(p, s, (VF)(8.33331048e-3f));
  p = FMA(p, s, (VF)(0.166666672f));
  VF near = FMA(p * s, t, t);
  VF e = WIDE(exp_pair)(t, (VF)(0.0f), -1);
  return WITH_SIGN_OF(SELECT_F(t < 1.0f, near, e - 0.25f / e), a);
}
LIBM1(sinh)

INLINE VF WIDE(cosh_f32)(VF a) {
  VF e = WIDE(exp_pair)(ABSOLUTE_F(a), (VF)(0.0f), -1);
  return e + 0.25f / e;
}
LIBM1(cosh)

// log1p(t + extra), corrected for the rounding error of the sum.
INLINE VF WIDE(log1p_sum)(VF t, VF extra) {
  VF sum = t + extra;
  return WIDE(log1p_pair)(sum, WIDE(sum_error)(t, extra, sum));
}

// asinh or acosh of a, where r is the result of the caller's formula. For large a, both functions equal log(2a) up to
// rounding, and the formula may overflow.
INLINE VF WIDE(log_twice_if_large)(VF a, VF r) {
  return SELECT_F(a < 1e9f, r, WIDE(log_f32)(a) + 0.693147182f);
}

// asinh t = log1p(t + t² / (1 + √(1 + t²)))
INLINE VF WIDE(asinh_f32)(VF a) {
  VF t = ABSOLUTE_F(a);
  VF s = t * t;
  VF r = WIDE(log1p_sum)(t, s / (1.0f + SQUARE_ROOT(1.0f + s)));
  r = WIDE(log_twice_if_large)(t, r);
  return WITH_SIGN_OF(SELECT_F(t < 1e-4f, t, r), a);
}
LIBM1(asinh)

// acosh(1 + t) = log1p(t + √(2t + t²))
INLINE VF WIDE(acosh_f32)(VF a) {
  VF t = a - 1.0f;
  VF r = WIDE(log1p_sum)(t, SQUARE_ROOT(FMA(t, t, t + t)));
  r = WIDE(log_twice_if_large)(a, r);
  return SELECT_F(a < 1.0f, NAN_F, r);
}
LIBM1(acosh)

// atanh t = ½ log1p(q + q_low) with q = 2t / (1 − t); q_low corrects the rounding errors of 1 − t and of the quotient.
INLINE VF WIDE(atanh_f32)(VF a) {
  VF t = ABSOLUTE_F(a);
  VF d = 1.0f - t;
  VF q = (t + t) / d;
  VF q_low = (EXACT_FMA(-q, d, t + t) - q * ((1.0f - d) - t)) / d;
  VF r = 0.5f * WIDE(log1p_pair)(q, q_low);
  r = SELECT_F(t < 1e-3f, FMA(t * t * 0.333333343f, t, t), r);
  r = SELECT_F(t == 1.0f, INFINITE_F, r);
  r = SELECT_F(t > 1.0f, NAN_F, r);
  return WITH_SIGN_OF(r, a);
}
LIBM1(atanh)
