// The error function and the normal distribution. Included after logarithm.h, in the same dialect.

// ---- The error function

// erf(a) for |a| ≤ 0.93.
INLINE VF WIDE(erf_near)(VF a) {
  VF s = a * a;
  VF p = FMA((VF)(7.99664922e-5f), s, (VF)(-8.04976968e-4f));
  p = FMA(p, s, (VF)(5.19240508e-3f));
  p = FMA(p, s, (VF)(-2.68557314e-2f));
  p = FMA(p, s, (VF)(0.112836257f));
  p = FMA(p, s, (VF)(-0.376126289f));
  p = FMA(p, s, (VF)(0.128379166f));
  return FMA(p, a, a);
}

INLINE VF WIDE(erf_f32)(VF a) {
  VF t = ABSOLUTE_F(a);
  // The polynomial q approximates log(erfc(t)) / t.
  VF q = FMA((VF)(-5.29464933e-6f), t, (VF)(4.9914539e-5f));
  q = FMA(q, t, (VF)(2.75543625e-5f));
  q = FMA(q, t, (VF)(-2.86941673e-3f));
  q = FMA(q, t, (VF)(2.25760434e-2f));
  q = FMA(q, t, (VF)(-0.105169855f));
  q = FMA(q, t, (VF)(-0.635672987f));
  q = FMA(q, t, (VF)(-1.12854147f));
  VF far = 1.0f - WIDE(exp_f32)(q * t);
  return SELECT_F(t > 0.93f, WITH_SIGN_OF(far, a), WIDE(erf_near)(a));
}
LIBM1(erf)

// For t = |a| ≥ 0.4, a polynomial in q = (t − 2)/(t + 2) approximates p = (1 + 2t)·exp(t²)·erfc(t) − 1 (after Shepherd
// and Laframboise, Math. Comp. 36, 1981).
INLINE VF WIDE(erfc_f32)(VF a) {
  VF t = ABSOLUTE_F(a);
  t = SELECT_F(t > 12.0f, (VF)(12.0f), t);
  VF d = t + 2.0f;
  VF divisor = FMA((VF)(2.0f), t, (VF)(1.0f));
  // One division gives both 1/(t + 2), for q, and 1/(1 + 2t).
  VF inverse = 1.0f / (d * divisor);
  VF q_inverse = inverse * divisor;
  VF q = (t - 2.0f) * q_inverse;
  q = FMA(EXACT_FMA(-q, t, FMA(q + 1.0f, (VF)(-2.0f), t)), q_inverse, q);
  VF p = FMA((VF)(5.75499726e-5f), q, (VF)(-2.99134816e-4f));
  p = FMA(p, q, (VF)(-1.24781311e-3f));
  p = FMA(p, q, (VF)(1.21199957e-3f));
  p = FMA(p, q, (VF)(8.61534942e-3f));
  p = FMA(p, q, (VF)(-8.02562665e-3f));
  p = FMA(p, q, (VF)(-5.41969389e-2f));
  p = FMA(p, q, (VF)(0.164050981f));
  p = FMA(p, q, (VF)(-0.166032165f));
  p = FMA(p, q, (VF)(-9.27638263e-2f));
  p = FMA(p, q, (VF)(0.276978403f));
  // erfc(t) = n/(1 + 2t)·exp(−t²), with n = 1 + p. The summand `low` of the exponent corrects two rounding errors: the
  // quotient's relative error lost/n, and the error of s = t². A linear function approximates 1/n for n from 1 to 1.29.
  VF n = 1.0f + p;
  VF quotient = n * (inverse * d);
  VF lost = FMA(EXACT_FMA(-quotient, t, (VF)(0.5f)), (VF)(2.0f), p - quotient);
  VF s = t * t;
  VF low = FMA(lost, FMA((VF)(-0.769f), n, (VF)(1.7616f)), -EXACT_FMA(t, t, -s));
  VF r = quotient * WIDE(exp_pair)(-s, low, 0);
  r = SELECT_F(a < 0.0f, 2.0f - r, r);
  r = SELECT_F(t < 0.4f, 1.0f - WIDE(erf_near)(a), r);
  return SELECT_F(a == a, r, a);
}
LIBM1(erfc)

// ---- The normal distribution

// exp(−a²/2).
INLINE VF WIDE(gaussian_f32)(VF a) {
  VF s = a * a;
  return WIDE(exp_pair)(s * -0.5f, EXACT_FMA(a, a, -s) * -0.5f, 0);
}
#if HAS_FLOAT64
INLINE VD WIDE(gaussian_f64)(VD a) { return WIDE(exp_f64)(a * a * -0.5); }
#endif

// Φ(a), the cumulative distribution function, where g = exp(−a²/2). With t = |a|, k = 37/16 and u = 1/(t + k), a
// polynomial in q = (t − k)/(t + k) = 1 − 2k·u approximates p = Φ(−t)·(t + k)/g.
INLINE VF WIDE(normal_f32)(VF a, VF g) {
  VF t = ABSOLUTE_F(a);
  t = SELECT_F(t > 15.0f, (VF)(15.0f), t);
  VF d = t + 2.3125f;
  VF u = 1.0f / d;
  VF q = EXACT_FMA((VF)(-4.625f), u, (VF)(1.0f));
  VF p = FMA((VF)(-8.20599671e-5f), q, (VF)(-2.35454208e-4f));
  p = FMA(p, q, (VF)(8.0484584e-5f));
  p = FMA(p, q, (VF)(1.29274407e-3f));
  p = FMA(p, q, (VF)(1.39788375e-3f));
  p = FMA(p, q, (VF)(-4.82841535e-3f));
  p = FMA(p, q, (VF)(-1.25055136e-2f));
  p = FMA(p, q, (VF)(2.40005553e-2f));
  p = FMA(p, q, (VF)(9.31455493e-2f));
  p = FMA(p, q, (VF)(-0.398887753f));
  p = EXACT_FMA(p, q, (VF)(0.695555329f));
  // Corrects the rounding errors of d, of its inverse u and of the product g·u. A linear function approximates the
  // derivative of p·u with respect to u.
  VF lost = FMA(-u, t - (d - 2.3125f), EXACT_FMA(-u, d, (VF)(1.0f)));
  lost = lost * FMA((VF)(4.47180891f), u, (VF)(0.167820141f));
  VF w = g * u;
  VF tail = EXACT_FMA(w, p, FMA(EXACT_FMA(g, u, -w), p, w * lost));
  return SELECT_F(a < 0.0f, tail, 1.0f - tail);
}
#if HAS_FLOAT64
// Only `normal_f32` uses the argument g.
INLINE VD WIDE(normal_f64)(VD a, VD g) {
  (void)g;
  return 0.5 * WIDE(erfc_f64)(a * -0.70710678118654752);
}
#endif

// erf⁻¹(a) by three polynomials: in a² near 0, in w = −log(1 − a²) in the middle, and in √w in the tails (the scheme of
// Giles, GPU Computing Gems 2, 2011).
INLINE VF WIDE(erfinv_f32)(VF a) {
  VF t = ABSOLUTE_F(a);
  VF s = a * a;
  VF near = FMA((VF)(0.380097389f), s, (VF)(-0.423265249f));
  near = FMA(near, s, (VF)(0.31336081f));
  near = FMA(near, s, (VF)(-0.0343824141f));
  near = FMA(near, s, (VF)(0.0804550201f));
  near = FMA(near, s, (VF)(0.0850206167f));
  near = FMA(near, s, (VF)(0.127630964f));
  near = FMA(near, s, (VF)(0.232012272f));
  near = FMA(near, s, (VF)(-0.11377307f));
  VF w = -WIDE(log_f32)((1.0f - t) * (1.0f + t));
  VF x = w - 2.5f;
  VF middle = FMA((VF)(-7.6262312e-09f), x, (VF)(2.04282227e-08f));
  middle = FMA(middle, x, (VF)(4.56063191e-07f));
  middle = FMA(middle, x, (VF)(-3.43952229e-06f));
  middle = FMA(middle, x, (VF)(-4.93417474e-06f));
  middle = FMA(middle, x, (VF)(0.000218284855f));
  middle = FMA(middle, x, (VF)(-0.00125277287f));
  middle = FMA(middle, x, (VF)(-0.00417733844f));
  middle = FMA(middle, x, (VF)(0.246640295f));
  middle = FMA(middle, x, (VF)(0.00140935334f));
  VF y = SQUARE_ROOT(w) - 3.0f;
  VF tail = FMA((VF)(0.000114086513f), y, (VF)(-0.000306776492f));
  tail = FMA(tail, y, (VF)(-5.57184394e-05f));
  tail = FMA(tail, y, (VF)(0.00148103794f));
  tail = FMA(tail, y, (VF)(-0.00359683903f));
  tail = FMA(tail, y, (VF)(0.00568899978f));
  tail = FMA(tail, y, (VF)(-0.00763772428f));
  tail = FMA(tail, y, (VF)(0.00944489148f));
  tail = FMA(tail, y, (VF)(1.00167501f));
  tail = FMA(tail, y, (VF)(2.83297682f));
  VF r = SELECT_F(w < 5.0f, t + FMA(middle, t, 0.5f * t), tail * t);
  r = SELECT_F(t < 0.64f, FMA(near, t, t), r);
  r = SELECT_F(t == 1.0f, INFINITE_F, r);
  return WITH_SIGN_OF(SELECT_F(t > 1.0f, NAN_F, r), a);
}
#if HAS_FLOAT64
// Winitzki's approximation and three steps of Halley's method on erf, or on erfc in the tails.
INLINE VD WIDE(erfinv_f64)(VD a) {
  VD t = WIDE(fabs_f64)(a);
  VD u = WIDE(log_f64)((1.0 - t) * (1.0 + t));
  VD c = 4.3307467508 + 0.5 * u;
  VD y = WIDE(sqrt_f64)(WIDE(sqrt_f64)(c * c - u * 6.8027210884) - c);
  for (int step = 0; step < 3; step += 1) {
    VD e = t < 0.5 ? WIDE(erf_f64)(y) - t : (1.0 - t) - WIDE(erfc_f64)(y);
    VD d = e / (1.1283791670955126 * WIDE(exp_f64)(-y * y));
    y = y - d / (1.0 + y * d);
  }
  y = t < 1e-9 ? t * 0.88622692545275801 : y;
  y = t < 1.0 ? y : t == 1.0 ? (VD)(1.0) / (VD)(0.0) : (VD)(0.0) / (VD)(0.0);
  return a < 0.0 ? -y : (a == 0.0 ? a : y);
}
#endif
