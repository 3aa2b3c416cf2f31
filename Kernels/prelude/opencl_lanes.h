// Memory access and permutations for registers of 16 lanes. Included after prelude/opencl.h if WIDTH is not 1.

// With SPELLED_LANES, macros list all lanes: see prelude/opencl.h.
#ifdef SPELLED_LANES
#define UPPER_HALF(type, v) ((type##8)(v.s8, v.s9, v.sa, v.sb, v.sc, v.sd, v.se, v.sf))
#else
#define UPPER_HALF(type, v) v.hi
#endif
// Loads and stores of registers at addresses that are aligned to one element. PoCL expands vload16 and vstore16 to
// dozens of instructions before it optimizes them. These functions compile to one instruction each, and kernels build
// in three quarters of the time. The attributes are clang's; OpenCL compilers for CPUs are based on clang.
// VSTORE_PART_type stores the first `count` < WIDTH lanes.
#define OVERLOADED INLINE __attribute__((overloadable))
#define DEFINE_STORE(type, lanes, space)                                        \
  OVERLOADED void store_lanes(type##lanes v, space type *p) {                   \
    typedef type##lanes unaligned __attribute__((aligned(sizeof(type))));       \
    *(space unaligned *)p = v;                                                  \
  }
#define DEFINE_LOAD(type, space)                                                \
  OVERLOADED type##16 load_lanes(const space type *p) {                         \
    typedef type##16 unaligned __attribute__((aligned(sizeof(type))));          \
    return *(const space unaligned *)p;                                         \
  }
#define DEFINE_ACCESS(name, type)                                               \
  DEFINE_LOAD(type, __global)                                                   \
  DEFINE_LOAD(type, __private)                                                  \
  DEFINE_STORE(type, 16, __global)                                              \
  DEFINE_STORE(type, 16, __private)                                             \
  DEFINE_STORE(type, 8, __global)                                               \
  DEFINE_STORE(type, 4, __global)                                               \
  DEFINE_STORE(type, 2, __global)                                               \
  INLINE void VSTORE_PART_##name(type##16 v, GLOBAL type *p, int count) {       \
    type##8 v8 = v.lo;                                                          \
    if (count & 8) { store_lanes(v8, p); p += 8; v8 = UPPER_HALF(type, v); }    \
    type##4 v4 = v8.lo;                                                         \
    if (count & 4) { store_lanes(v4, p); p += 4; v4 = v8.hi; }                  \
    type##2 v2 = v4.lo;                                                         \
    if (count & 2) { store_lanes(v2, p); p += 2; v2 = v4.hi; }                  \
    if (count & 1) *p = v2.x;                                                   \
  }
DEFINE_ACCESS(u8, uchar)
DEFINE_ACCESS(i8, char)
DEFINE_ACCESS(u16, ushort)
DEFINE_ACCESS(int, int)
DEFINE_ACCESS(i64, long)
DEFINE_ACCESS(float, float)
#if HAS_FLOAT64
DEFINE_ACCESS(double, double)
#endif

// A tile of sums: `sums` is an array of rows × vectors registers. In memory, the tile begins at p, and its rows are
// `distance` elements apart. CLEAR_TILE sets the registers to zero, LOAD_TILE loads them and STORE_TILE stores them.
#define FOR_TILE(rows, vectors, body)                         \
  {                                                           \
    UNROLL for (int m = 0; m < (rows); m += 1) {              \
      UNROLL for (int v = 0; v < (vectors); v += 1) { body; } \
    }                                                         \
  }
#define CLEAR_TILE(sums, rows, vectors, zero) FOR_TILE(rows, vectors, sums[m][v] = (zero))
#define LOAD_TILE(sums, rows, vectors, p, distance) \
  FOR_TILE(rows, vectors, sums[m][v] = VLOAD((p) + m * (distance) + v * WIDTH))
#define STORE_TILE(sums, rows, vectors, p, distance) \
  FOR_TILE(rows, vectors, VSTORE(sums[m][v], (p) + m * (distance) + v * WIDTH))

// The upper 32 bits of the 64-bit product of each lane of `a` and the same lane of `b`. CPUs have instructions that
// multiply every second lane of two registers, so even and odd lanes are multiplied separately.
INLINE uint16 multiply_high(uint16 a, uint16 b) {
  uint16 even = as_uint16((as_ulong8(a) & 0xffffffffUL) * (as_ulong8(b) & 0xffffffffUL));
  uint16 odd = as_uint16((as_ulong8(a) >> 32) * (as_ulong8(b) >> 32));
  return (uint16)(even.s1, odd.s1, even.s3, odd.s3, even.s5, odd.s5, even.s7, odd.s7,
                  even.s9, odd.s9, even.sb, odd.sb, even.sd, odd.sd, even.sf, odd.sf);
}
// Lanes i, j, k and l of four registers: ai bi ci di aj bj cj dj …
#define INTERLEAVED_(a, b, c, d, i, j, k, l) \
  a.s##i, b.s##i, c.s##i, d.s##i, a.s##j, b.s##j, c.s##j, d.s##j, a.s##k, b.s##k, c.s##k, d.s##k, \
  a.s##l, b.s##l, c.s##l, d.s##l
// LOW_LANES and HIGH_LANES interleave the first eight, or the last eight, lanes of two registers: a0 b0 a1 b1 …
#ifdef SPELLED_LANES
#define LOW_LANES_(a, b) \
  (a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#define HIGH_LANES_(a, b) \
  (a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf)
#define LOW_LANES(type, a, b) ((type)LOW_LANES_(a, b))
#define HIGH_LANES(type, a, b) ((type)HIGH_LANES_(a, b))
#else
#define LOW_LANES(type, a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH_LANES(type, a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#endif
// TRANSPOSE transposes WIDTH registers: lane j of register i becomes lane i of register j. The lanes of registers i and
// i + WIDTH / 2 are interleaved four times: from `tile` to `other` and back, twice. The variant with `rows` also stores
// the result in `rows`.
#define DEFINE_TRANSPOSE(type)                                                \
  OVERLOADED void TRANSPOSE(type##16 *tile) {                               \
    type##16 other[16];                                                       \
    UNROLL for (int round = 0; round < 2; round += 1) {                       \
      UNROLL for (int i = 0; i < 8; i += 1) {                                 \
        other[2 * i] = LOW_LANES(type##16, tile[i], tile[i + 8]);         \
        other[2 * i + 1] = HIGH_LANES(type##16, tile[i], tile[i + 8]);    \
      }                                                                       \
      UNROLL for (int i = 0; i < 8; i += 1) {                                 \
        tile[2 * i] = LOW_LANES(type##16, other[i], other[i + 8]);          \
        tile[2 * i + 1] = HIGH_LANES(type##16, other[i], other[i + 8]);     \
      }                                                                       \
    }                                                                         \
  }                                                                           \
  OVERLOADED void TRANSPOSE(type##16 *tile, type *rows) {                   \
    TRANSPOSE(tile);                                                        \
    UNROLL for (int i = 0; i < 16; i += 1) VSTORE(tile[i], rows + 16 * i);  \
  }
DEFINE_TRANSPOSE(ushort)
DEFINE_TRANSPOSE(int)
DEFINE_TRANSPOSE(long)
DEFINE_TRANSPOSE(float)
#if HAS_FLOAT64
DEFINE_TRANSPOSE(double)
#endif
// Stores the elements of four registers interleaved: a0 b0 c0 d0 a1 …
INLINE void store_interleaved(int16 a, int16 b, int16 c, int16 d, int *p) {
  VSTORE(((int16)(INTERLEAVED_(a, b, c, d, 0, 1, 2, 3))), p);
  VSTORE(((int16)(INTERLEAVED_(a, b, c, d, 4, 5, 6, 7))), p + 16);
  VSTORE(((int16)(INTERLEAVED_(a, b, c, d, 8, 9, a, b))), p + 32);
  VSTORE(((int16)(INTERLEAVED_(a, b, c, d, c, d, e, f))), p + 48);
}
