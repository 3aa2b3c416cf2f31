// The trigonometric functions and their inverses. Included after math.h, in the same dialect.

// ---- Trigonometric functions

// Selects word i, from 0 to 4, of five words.
#define PICK_WORD(i, w0, w1, w2, w3, w4)                                                            \
  AS_U(SELECT_I(i < 2, SELECT_I(i < 1, (VI)(w0), (VI)(w1)),                                         \
                SELECT_I(i < 3, (VI)(w2), SELECT_I(i < 4, (VI)(w3), (VI)(w4)))))

// Payne and Hanek's range reduction (1983) for |a| ≥ 1: returns a − quadrant·π/2, in [−π/4, π/4], as the sum of the
// result and `low_part`. Multiplies the mantissa by 96 bits of 1/(2π), and leaves out the bits above these 96, because
// their products with the mantissa are whole turns.
INLINE VF WIDE(reduce_large)(VF a, VI *quadrant, VF *low_part) {
  VI e = ((AS_I(a) >> 23) & 255) - 126;
  VU mantissa = AS_U((AS_I(a) << 8) | (VI)(-0x7fffffff - 1));
  VI i = e >> 5;
  VU shift = AS_U(e & 31);
  VU w0 = PICK_WORD(i, 0, 0x28be60db, (int)0x9391054a, 0x7f09d5f4, 0x7d4d3770);
  VU w1 = PICK_WORD(i, 0x28be60db, (int)0x9391054a, 0x7f09d5f4, 0x7d4d3770, 0x36d8a566);
  VU w2 = PICK_WORD(i, (int)0x9391054a, 0x7f09d5f4, 0x7d4d3770, 0x36d8a566, 0x4f10e410);
  VU w3 = PICK_WORD(i, 0x7f09d5f4, 0x7d4d3770, 0x36d8a566, 0x4f10e410, 0x7f9458ea);
  VU back = 31 - shift;
  w0 = (w0 << shift) | ((w1 >> 1) >> back);
  w1 = (w1 << shift) | ((w2 >> 1) >> back);
  w2 = (w2 << shift) | ((w3 >> 1) >> back);
  VU carried = MULTIPLY_HIGH(mantissa, w2);
  VU low = mantissa * w1 + carried;
  VU carry = AS_U(SELECT_I(low < carried, (VI)(1), (VI)(0)));
  VU high = MULTIPLY_HIGH(mantissa, w1) + mantissa * w0 + carry;
  // high:low is the product in units of 2^-62 quarter turns. Round it to the nearest whole number of quarter turns.
  *quadrant = AS_I((high + 0x20000000u) >> 30);
  VI rest = AS_I(high << 2) >> 2;
  VI is_negative = rest >> 31;
  rest = rest ^ is_negative;
  VI below = AS_I(low) ^ is_negative;
  // Converts the rest to three floats without rounding, then multiplies it by π/2. A negative rest was replaced by its
  // bitwise complement, which differs from its negation by 1 in the last bit.
  VF high_part = TO_F(rest >> 5) * 0x1p-25f;
  VF middle = TO_F(((rest & 31) << 19) | AS_I(AS_U(below) >> 13)) * 0x1p-49f;
  VF r = high_part + middle;
  VF r_low = ((high_part - r) + middle) + TO_F(below & 0x1fff) * 0x1p-62f;
  VF p = r * 1.57079637f;
  VF p_low = WIDE(product_low)(r, r_low, (VF)(1.57079637f), (VF)(-4.37113883e-8f), p);
  VF sum = p + p_low;
  VI sign = is_negative ^ (AS_I(a) >> 31);
  *low_part = SELECT_F(sign != 0, (sum - p) - p_low, (p - sum) + p_low);
  *quadrant = SELECT_I(a < 0.0f, -*quadrant, *quadrant);
  return SELECT_F(sign != 0, -sum, sum);
}

// Returns a − *quadrant·π/2, in [−π/4, π/4], as the sum of the result and *low. Only the lowest two bits of *quadrant
// are meaningful.
INLINE VF WIDE(reduce_quarter)(VF a, VI *quadrant, VF *low) {
  VF t = FMA(a, (VF)(0.636619747f), (VF)(ROUNDER));
  VF j = t - ROUNDER;
  VI q = AS_I(t);
  VF first = EXACT_FMA(j, (VF)(-0x1.921fbp0f), a);
  // −π/2 is split into three floats. `second` is `first` plus j times the second float. `rest` collects the rounding
  // errors of this sum (by Knuth's TwoSum) and of this product, and j times the third float.
  VF product = j * -0x1.5110b4p-22f;
  VF second = first + product;
  VF step = second - first;
  VF rest = (first - (second - step)) + (product - step);
  rest = rest + EXACT_FMA(j, (VF)(-0x1.5110b4p-22f), -product);
  rest = FMA(j, (VF)(-0x1.846988p-48f), rest);
  VF r = second + rest;
  VF r_low = (second - r) + rest;
  VI is_large = ABSOLUTE_F(a) > 30000.0f;
  if (ANY32(is_large)) {
    VI large_q;
    VF large_low;
    VF large_r = WIDE(reduce_large)(a, &large_q, &large_low);
    r = SELECT_F(is_large, large_r, r);
    r_low = SELECT_F(is_large, large_low, r_low);
    q = SELECT_I(is_large, large_q, q);
    r = SELECT_F(ABSOLUTE_F(a) < INFINITE_F, r, NAN_F);
  }
  *quadrant = q;
  *low = r_low;
  return r;
}

// sin(a + shift·π/2)
INLINE VF WIDE(sine_shifted)(VF a, int shift) {
  VI q;
  VF low;
  VF r = WIDE(reduce_quarter)(a, &q, &low);
  q = q + shift;
  VF s = r * r;
  VF odd = FMA((VF)(2.83253962e-6f), s, (VF)(-1.98530659e-4f));
  odd = FMA(odd, s, (VF)(8.3333794e-3f));
  odd = FMA(odd, s, (VF)(-0.166666672f));
  odd = FMA(odd * s, r, low) + r;
  VF even = FMA((VF)(2.44321091e-5f), s, (VF)(-1.38873083e-3f));
  even = FMA(even, s, (VF)(4.16666456e-2f));
  even = FMA(even, s, (VF)(-0.5f));
  even = FMA(even, s, -(r * low)) + 1.0f;
  VF v = SELECT_F((q & 1) != 0, even, odd);
  return AS_F(AS_I(v) ^ ((q & 2) << 30));
}

INLINE VF WIDE(sin_f32)(VF a) { return SELECT_F(a == 0.0f, a, WIDE(sine_shifted)(a, 0)); }
LIBM1(sin)
INLINE VF WIDE(cos_f32)(VF a) { return WIDE(sine_shifted)(a, 1); }
LIBM1(cos)

INLINE VF WIDE(tan_f32)(VF a) {
  VI q;
  VF low;
  VF r = WIDE(reduce_quarter)(a, &q, &low);
  VF s = r * r;
  VF p = FMA((VF)(4.38766927e-3f), s, (VF)(7.00717937e-5f));
  p = FMA(p, s, (VF)(1.0847616e-2f));
  p = FMA(p, s, (VF)(2.1279417e-2f));
  p = FMA(p, s, (VF)(5.40599711e-2f));
  p = FMA(p, s, (VF)(0.133326694f));
  p = FMA(p, s, (VF)(0.333333492f));
  VF tail = FMA(p * s, r, FMA(low, s, low));
  VF t = r + tail;
  // −1 / (t + t_low) to first order in t_low = (r − t) + tail, the rounding error of t.
  VF inverse = -1.0f / t;
  inverse = FMA(inverse * inverse, (r - t) + tail, inverse);
  return SELECT_F(a == 0.0f, a, SELECT_F((q & 1) != 0, inverse, t));
}
LIBM1(tan)

// asin(x) − x, where z = x² is in [0, 1/4].
INLINE VF WIDE(asin_tail)(VF x, VF z) {
  VF p = FMA((VF)(3.77021171e-2f), z, (VF)(1.43121742e-2f));
  p = FMA(p, z, (VF)(3.18395235e-2f));
  p = FMA(p, z, (VF)(4.45133522e-2f));
  p = FMA(p, z, (VF)(7.50052184e-2f));
  p = FMA(p, z, (VF)(0.166666597f));
  return p * z * x;
}

// If t, the magnitude of *x, is above ½ (`is_far`), replaces *x by √((1 − t)/2). Then returns asin(*x) − *x.
INLINE VF WIDE(reduced_asin_tail)(VF t, VI is_far, VF *x) {
  VF z = SELECT_F(is_far, 0.5f * (1.0f - t), t * t);
  *x = SELECT_F(is_far, SQUARE_ROOT(z), *x);
  return WIDE(asin_tail)(*x, z);
}

// π/2 − (x + tail), where tail is small; 1.57079637 is π/2 + 4.37113883e-8.
INLINE VF WIDE(complement)(VF x, VF tail) { return 1.57079637f - (x + (tail + 4.37113883e-8f)); }

// Above ½: asin t = π/2 − 2 asin √((1 − t)/2)
INLINE VF WIDE(asin_f32)(VF a) {
  VF t = ABSOLUTE_F(a);
  VI is_far = t > 0.5f;
  VF x = t;
  VF tail = WIDE(reduced_asin_tail)(t, is_far, &x);
  VF r = 1.57079637f - (x + x);
  VF r_low = (1.57079637f - r) - (x + x);
  VF far = r + (r_low - ((tail + tail) + 4.37113883e-8f));
  return WITH_SIGN_OF(SELECT_F(is_far, far, x + tail), a);
}
LIBM1(asin)

INLINE VF WIDE(acos_f32)(VF a) {
  VF t = ABSOLUTE_F(a);
  VI is_far = t > 0.5f;
  VF x = a;
  VF tail = WIDE(reduced_asin_tail)(t, is_far, &x);
  VF near = WIDE(complement)(x, tail);
  // Above ½: acos t = 2 asin √((1 − t)/2), and acos (−t) = π − acos t.
  VF far = SELECT_F(a < 0.0f, near, x + tail);
  return SELECT_F(is_far, far + far, near);
}
LIBM1(acos)

// atan(x) − x for x in [0, 1].
INLINE VF WIDE(atan_tail)(VF x) {
  VF s = x * x;
  VF p = FMA((VF)(-1.78902934e-3f), s, (VF)(1.08937267e-2f));
  p = FMA(p, s, (VF)(-3.11382636e-2f));
  p = FMA(p, s, (VF)(5.79171032e-2f));
  p = FMA(p, s, (VF)(-8.40103626e-2f));
  p = FMA(p, s, (VF)(0.109513417f));
  p = FMA(p, s, (VF)(-0.142640769f));
  p = FMA(p, s, (VF)(0.199985325f));
  p = FMA(p, s, (VF)(-0.333332986f));
  return p * s * x;
}

INLINE VF WIDE(atan_f32)(VF a) {
  VF t = ABSOLUTE_F(a);
  VF x = SELECT_F(t > 1.0f, 1.0f / t, t);
  VF tail = WIDE(atan_tail)(x);
  return WITH_SIGN_OF(SELECT_F(t > 1.0f, WIDE(complement)(x, tail), x + tail), a);
}
LIBM1(atan)

// The angle of the point with the coordinates x = b and y = a.
INLINE VF WIDE(atan2_f32)(VF a, VF b) {
  VF y = ABSOLUTE_F(a);
  VF x = ABSOLUTE_F(b);
  VF least = SELECT_F(y < x, y, x);
  VF greatest = SELECT_F(y < x, x, y);
  VF q = SELECT_F(least == greatest, (VF)(1.0f), least / greatest);
  q = SELECT_F(least == 0.0f, (VF)(0.0f), q);
  VF tail = WIDE(atan_tail)(q);
  // The angle is r + r_low. It is rounded only once, after both reflections: at the line y = x, and at the y axis.
  VF r = SELECT_F(y > x, 1.57079637f - q, q);
  VF r_low = SELECT_F(y > x, ((1.57079637f - r) - q) - (tail + 4.37113883e-8f), tail);
  VF flipped = 3.14159274f - r;
  VI is_left = AS_I(b) < 0;
  r_low = SELECT_F(is_left, ((3.14159274f - flipped) - r) - (r_low + 8.74227766e-8f), r_low);
  r = SELECT_F(is_left, flipped, r) + r_low;
  return SELECT_F((a != a) | (b != b), a + b, WITH_SIGN_OF(r, a));
}
LIBM2(atan2)
