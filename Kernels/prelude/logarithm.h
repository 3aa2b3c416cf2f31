// Logarithms and powers. Included after math.h, in the same dialect.

// log(1 + f) − f for f in [−1/3, 1/3].
INLINE VF WIDE(log_tail)(VF f) {
  VF s = f * f;
  VF p = FMA((VF)(-0.12885657f), f, (VF)(0.139868975f));
  p = FMA(p, f, (VF)(-0.121857136f));
  p = FMA(p, f, (VF)(0.140053064f));
  p = FMA(p, f, (VF)(-0.166803762f));
  p = FMA(p, f, (VF)(0.20010446f));
  p = FMA(p, f, (VF)(-0.249998003f));
  p = FMA(p, f, (VF)(0.333332151f));
  return FMA(s * f, p, s * -0.5f);
}

// Splits a positive a = 2^i·m and returns m, in [least, 2·least). `least` is given by its bits.
INLINE VF WIDE(split_exponent)(VF a, int least, VF *i) {
  VI is_denormal = SELECT_I(a < 1.17549435e-38f, (VI)(1), (VI)(0));
  VI bits = AS_I(a * SELECT_F(is_denormal != 0, (VF)(8388608.0f), (VF)(1.0f)));
  VI e = (bits - least) & EXPONENT_BITS;
  *i = TO_F((e >> 23) - is_denormal * 23);
  return AS_F(bits - e);
}

// log(a) for any a. The caller has computed r, which is log(a) if a is finite and positive. Returns −∞ at 0, NaN
// below 0 and at NaN, ∞ at ∞, else r.
INLINE VF WIDE(log_edges)(VF a, VF r) {
  r = SELECT_F(a < INFINITE_F, r, a + a);
  r = SELECT_F(a < 0.0f, NAN_F, r);
  return SELECT_F(a == 0.0f, -INFINITE_F, r);
}

// whole + high + low, where `whole` is 0 or |whole| is at least |high|. So (whole - sum) + high is exactly the rounding
// error of the sum.
INLINE VF WIDE(log_sum)(VF whole, VF high, VF low) {
  VF sum = whole + high;
  return sum + (((whole - sum) + high) + low);
}

// i·LOG2_LOW + log(1 + f) − f, the part of log(2^i·(1 + f)) that is added to i·LOG2_HIGH + f.
INLINE VF WIDE(log_low)(VF i, VF f) { return FMA(i, (VF)(LOG2_LOW), WIDE(log_tail)(f)); }

INLINE VF WIDE(log_f32)(VF a) {
  VF i;
  VF f = WIDE(split_exponent)(a, 0x3f2aaaab, &i) - 1.0f;
  return WIDE(log_edges)(a, WIDE(log_sum)(i * LOG2_HIGH, f, WIDE(log_low)(i, f)));
}
LIBM1(log)

// log(a)·(factor + factor_low), where two + two_low is log(2)·(factor + factor_low), and products of `two` with
// exponents are exact.
INLINE VF WIDE(log_times)(VF a, VF factor, VF factor_low, VF two, VF two_low) {
  VF i;
  VF f = WIDE(split_exponent)(a, 0x3f2aaaab, &i) - 1.0f;
  VF low = FMA(WIDE(log_tail)(f), factor, FMA(f, factor_low, i * two_low));
  VF high = f * factor;
  low = low + EXACT_FMA(f, factor, -high);
  return WIDE(log_edges)(a, WIDE(log_sum)(i * two, high, low));
}

INLINE VF WIDE(log2_f32)(VF a) {
  return WIDE(log_times)(a, (VF)(1.44269502f), (VF)(1.92596303e-8f), (VF)(1.0f), (VF)(0.0f));
}
LIBM1(log2)

INLINE VF WIDE(log10_f32)(VF a) {
  return WIDE(log_times)(
      a, (VF)(0.434294492f), (VF)(-1.010305e-8f), (VF)(0x1.344p-2f), (VF)(0x1.3509f8p-18f));
}
LIBM1(log10)

// log(1 + a + a_low) for a > −1, where a_low is small.
INLINE VF WIDE(log1p_pair)(VF a, VF a_low) {
  VI e = (AS_I(1.0f + a) - 0x3f2aaaab) & EXPONENT_BITS;
  // 1 + f = 2^-i·(1 + a); products with powers of two are exact. `scale` is 4·2^-i, which is never subnormal.
  VF scale = AS_F((VI)(0x40800000) - e);
  VF scaled = (a * 0.25f) * scale;
  VF shifted = scale * 0.25f - 1.0f;
  VF f = scaled + shifted;
  VF f_low = WIDE(sum_error)(scaled, shifted, f) + (a_low * 0.25f) * scale;
  VF i = TO_F(e >> 23);
  // f_low times the derivative of log(1 + f) at f, a first-order correction.
  VF low = WIDE(log_low)(i, f) + f_low / (1.0f + f);
  return WIDE(log_sum)(i * LOG2_HIGH, f, low);
}

INLINE VF WIDE(log1p_f32)(VF a) {
  VF r = SELECT_F(ABSOLUTE_F(a) < 2.98023224e-8f, a, WIDE(log1p_pair)(a, (VF)(0.0f)));
  r = SELECT_F(a < INFINITE_F, r, a + a);
  r = SELECT_F(a < -1.0f, NAN_F, r);
  return SELECT_F(a == -1.0f, -INFINITE_F, r);
}
LIBM1(log1p)

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
LIBM2(pow)
