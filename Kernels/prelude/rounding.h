// Rounding to the 16-bit floating-point types, and conversions of their bits and of random bits. Included after math.h,
// in the same dialect; it also needs HAS_HALF.

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
