// Powers, rounding, conversions of 16-bit floats and of random bits, and the float64 functions. Included after
// normal.h.

// ---- Powers

// log2 of positive a as the sum of the result and *low, accurate to about 2^-33. With a = 2^i·m and
// q = (m − 1)/(m + 1), log m = 2 atanh q = 2q + 2q³·(1/3 + q²/5 + …).
INLINE VF WIDE(log2_pair)(VF a, VF *low) {
  VF i;
  VF m = WIDE(split_exponent)(a, 0x3f3504f3, &i);
  VF n = m - 1.0f;
  VF d = m + 1.0f;
  VF q = n / d;
  VF q_low = (EXACT_FMA(-q, d, n) - q * (m - (d - 1.0f))) / d;
  VF s = q * q;
  VF s_low = EXACT_FMA(q, q, -s) + 2.0f * q * q_low;
  VF w = FMA((VF)(0.117099479f), s, (VF)(0.142735422f));
  w = FMA(w, s, (VF)(0.200000763f)) * s;
  VF z = w + 0.333333343f;
  VF z_low = ((0.333333343f - z) + w) - 9.93410776e-9f;
  VF u = s * q;
  VF u_low = WIDE(product_low)(s, s_low, q, q_low, u);
  VF v = u * z;
  VF v_low = WIDE(product_low)(u, u_low, z, z_low, v);
  VF l = q + v;
  VF l_low = ((q - l) + v) + (q_low + v_low);
  VF g = l * 2.88539004f;
  VF g_low = WIDE(product_low)(l, l_low, (VF)(2.88539004f), (VF)(3.85192607e-8f), g);
  VF sum = i + g;
  *low = ((i - sum) + g) + g_low;
  return sum;
}

INLINE VF WIDE(pow_f32)(VF a, VF b) {
  VF t = ABSOLUTE_F(a);
  VF low;
  VF high = WIDE(log2_pair)(t, &low);
  VF p = b * high;
  VF p_low = FMA(b, low, EXACT_FMA(b, high, -p));
  VF r = WIDE(exp2_pair)(p, SELECT_F(ABSOLUTE_F(p) < 200.0f, p_low, (VF)(0.0f)));
  r = SELECT_F(t == 0.0f, SELECT_F(b < 0.0f, INFINITE_F, (VF)(0.0f)), r);
  r = SELECT_F(t == INFINITE_F, SELECT_F(b < 0.0f, (VF)(0.0f), INFINITE_F), r);
  r = SELECT_F(t == 1.0f, (VF)(1.0f), r);
  VF half_b = b * 0.5f;
  VI is_whole = TRUNCATE(b) == b;
  VI is_odd = is_whole & (TRUNCATE(half_b) != half_b);
  r = SELECT_F((AS_I(a) < 0) & is_odd, -r, r);
  r = SELECT_F((a < 0.0f) & (t < INFINITE_F) & (TRUNCATE(b) != b), NAN_F, r);
  r = SELECT_F((a != a) | (b != b), a + b, r);
  return SELECT_F((a == 1.0f) | (b == 0.0f), (VF)(1.0f), r);
}

// ---- Rounding and storage

INLINE VF WIDE(floor_f32)(VF a) { return FLOOR(a); }
INLINE VF WIDE(ceil_f32)(VF a) { return CEIL(a); }
INLINE VF WIDE(rint_f32)(VF a) { return ROUND(a); }
INLINE VF WIDE(trunc_f32)(VF a) { return TRUNCATE(a); }
INLINE VF WIDE(sqrt_f32)(VF a) { return SQUARE_ROOT(a); }
INLINE VF WIDE(fabs_f32)(VF a) { return ABSOLUTE_F(a); }
INLINE VF WIDE(fmod_f32)(VF a, VF b) { return LIBM_FMOD(a, b); }

// The float16 nearest to a (ties to even), as a float32.
#if HAS_HALF
// The conversions may make a signaling NaN quiet, so NaNs bypass them.
INLINE VF WIDE(round_float16)(VF a) { return SELECT_F(a == a, FLOAT_FROM_HALF(HALF_FROM_FLOAT(a)), a); }
#else
INLINE VF WIDE(round_float16)(VF a) {
  VI bits = AS_I(a) & 0x7fffffff;
  VI rounded = (bits + 0x0fff + ((bits >> 13) & 1)) & (VI)(~0x1fff);
  rounded = SELECT_I(rounded >= 0x47800000, (VI)(0x7f800000), rounded);
  // Below 2^-14 the spacing of float16 is 2^-24, like the spacing of float32 just above ½. So adding ½ and subtracting
  // it again rounds to a float16.
  VF tiny = (AS_F(bits) + 0.5f) - 0.5f;
  VF r = SELECT_F(bits < 0x38800000, tiny, AS_F(rounded));
  return SELECT_F(a == a, WITH_SIGN_OF(r, a), a);
}
#endif

// The bits of `a`, plus a rounding increment: the upper half of the sum is the bfloat16 nearest to `a` (ties to even).
// `a` must not be NaN.
INLINE VI WIDE(bfloat16_rounded_bits)(VF a) { return AS_I(BFLOAT16_ROUNDED(AS_U(a))); }

// The bfloat16 nearest to a, as a float32. A NaN is returned unchanged.
INLINE VF WIDE(round_bfloat16)(VF a) {
  return SELECT_F(a == a, AS_F(WIDE(bfloat16_rounded_bits)(a) & (VI)(~0xffff)), a);
}

// The 16 bits of the bfloat16 nearest to a, in the lower half of a 32-bit word; the upper half repeats the sign.
INLINE VI WIDE(bfloat16_from_float)(VF a) {
  return SELECT_I(a == a, WIDE(bfloat16_rounded_bits)(a) >> 16, BFLOAT16_OF_NAN(AS_I(a)));
}

// The float32 that equals the bfloat16 with these 16 bits.
INLINE VF WIDE(float_from_bfloat16)(VI bits) { return AS_F(bits << 16); }

// The upper 24 of 32 random bits as a number in [0, 1).
INLINE VF WIDE(unit_float)(VI bits) { return TO_F(AS_I(AS_U(bits) >> 8)) * 0x1p-24f; }

// ---- float64

#if HAS_FLOAT64
LIBM1(exp) LIBM1(exp2) LIBM1(expm1) LIBM1(log) LIBM1(log2) LIBM1(log10) LIBM1(log1p)
LIBM1(sin) LIBM1(cos) LIBM1(tan) LIBM1(asin) LIBM1(acos) LIBM1(atan)
LIBM1(sinh) LIBM1(cosh) LIBM1(tanh) LIBM1(asinh) LIBM1(acosh) LIBM1(atanh)
LIBM1(erf) LIBM1(erfc) LIBM1(floor) LIBM1(ceil) LIBM1(rint) LIBM1(trunc) LIBM1(sqrt) LIBM1(fabs)
LIBM2(pow) LIBM2(atan2) LIBM2(fmod)

INLINE VD WIDE(sigmoid_f64)(VD a) {
  VD t = WIDE(exp_f64)(-WIDE(fabs_f64)(a));
  return (a < 0.0 ? t : (VD)(1.0)) / (1.0 + t);
}

INLINE VD WIDE(gaussian_f64)(VD a) { return WIDE(exp_f64)(a * a * -0.5); }

// Only `normal_f32` uses the argument g.
INLINE VD WIDE(normal_f64)(VD a, VD g) {
  (void)g;
  return 0.5 * WIDE(erfc_f64)(a * -0.70710678118654752);
}

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
