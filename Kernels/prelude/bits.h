// Formulas on the bits of a float32, for the vectors of any dialect (C, OpenCL C or CUDA, see math.h) and for scalars.
// Included before math.h, and by include/bfloat16.h.

// |x|, and |x| with the sign of s, where x and s are VF.
#define ABSOLUTE_F(x) AS_F(AS_I(x) & 0x7fffffff)
#define WITH_SIGN_OF(x, s) AS_F((AS_I(x) & 0x7fffffff) | (AS_I(s) & (VI)(-0x7fffffff - 1)))

// The bits of a number, unsigned, rounded so that their upper half is the nearest bfloat16 (ties to even).
#define BFLOAT16_ROUNDED(bits) ((bits) + 0x7fffu + ((bits) >> 16 & 1))
// The upper half of the bits of a NaN, with the quiet bit set. Without this bit, the half would be an infinity if the
// payload is only in the lower half.
#define BFLOAT16_OF_NAN(bits) ((bits) >> 16 | 0x40)
