// Sub-groups: SUBGROUP consecutive work-items that run in lockstep. SHIFT_type(x, span) returns the `x` of the
// work-item `span` positions further on. The result is unspecified if that work-item is outside of the sub-group. All
// work-items of the sub-group must call SHIFT together. Kernels that call it are declared with SUBGROUPS.
#if defined(SUBGROUP_CUDA)
#define SUBGROUPS
#define SHIFT(x, span) __shfl_down_sync(0xffffffffu, x, span)
#define SHIFT_int(x, span) SHIFT(x, span)
#define SHIFT_float(x, span) SHIFT(x, span)
#define SHIFT_i64(x, span) SHIFT(x, span)
#define SHIFT_double(x, span) SHIFT(x, span)
#elif defined(SUBGROUP_PTX)
#define SUBGROUPS
#define SHIFT_WORD(type, letter) \
  INLINE type SHIFT_##type(type x, int span) { \
    type result; \
    asm volatile("shfl.sync.down.b32 %0, %1, %2, 31, -1;" : "=" letter(result) : letter(x), "r"(span)); \
    return result; \
  }
// For 64-bit types: the instruction moves 32 bits.
#define SHIFT_PAIR(type, letter) \
  INLINE type SHIFT_##type(type x, int span) { \
    type result; \
    asm volatile("{ .reg .b32 low, high; mov.b64 {low, high}, %1; shfl.sync.down.b32 low, low, %2, 31, -1; " \
                 "shfl.sync.down.b32 high, high, %2, 31, -1; mov.b64 %0, {low, high}; }" \
                 : "=" letter(result) : letter(x), "r"(span)); \
    return result; \
  }
SHIFT_WORD(int, "r")
SHIFT_WORD(float, "f")
SHIFT_PAIR(i64, "l")
#if HAS_FLOAT64
SHIFT_PAIR(double, "d")
#endif
#else
#define SUBGROUPS __attribute__((intel_reqd_sub_group_size(SUBGROUP)))
#if defined(SUBGROUP_KHR)
#define SHIFT(x, span) sub_group_shuffle_down(x, (uint)(span))
#else
#define SHIFT(x, span) intel_sub_group_shuffle_down(x, x, (uint)(span))
#endif
#define SHIFT_int(x, span) SHIFT(x, span)
#define SHIFT_float(x, span) SHIFT(x, span)
#define SHIFT_i64(x, span) SHIFT(x, span)
#define SHIFT_double(x, span) SHIFT(x, span)
#endif
