// The matrix units (tensor cores) of NVIDIA's devices, and asynchronous copies to local memory (cp.async). For CUDA
// devices of compute capability 8.0 and higher. All 32 work-items of a warp must call LOAD_MATRIX, MMA and SHUFFLE_XOR
// functions together; `lane` is the position of a work-item in its warp. A compiler for processors without PTX, such as
// the CUDA stand-in of the tests, defines PTX_FUNCTIONS and its own versions of these functions.
//
//   LOAD_MATRIX(r, row)    Loads four matrices of 8 rows with 16 bytes each from local memory (ldmatrix). `row` points
//                          to row lane % 8 of matrix lane / 8. The work-item gets in r[i] the 32-bit word number
//                          lane % 4 of row lane / 4 of matrix i.
//   LOAD_MATRIX_TRANSPOSED(r, row)   As LOAD_MATRIX, but transposes each matrix; elements have 16 bits.
//   MMA_bfloat16(d, a, b0, b1), MMA_float16(d, a, b0, b1) Adds the product of A (16 × 16) and B (16 × 8) to D (16 × 8),
//                          whose elements are float32. With g = lane / 4 and t = lane % 4: a[i] has the elements 2t and
//                          2t + 1, counted from column i / 2 · 8, of row g + i % 2 · 8 of A. In column g of B, b0 has
//                          the elements 2t and 2t + 1, and b1 the elements 2t + 8 and 2t + 9. d[i] is the element of D
//                          in row g + i / 2 · 8 and column 2t + i % 2.
//   MMA_int8(d, a, b0, b1) The same for int8 factors A (16 × 32) and B (32 × 8), and int32 sums, which wrap around. A
//                          register has the four elements from 4t on; in a[2], a[3] and b1, from 4t + 16 on.
//   MMA_tf32(d, a, b0, b1) The same for TF32 factors A (16 × 8) and B (8 × 8), and float32 sums. A register has the
//                          element t; in a[2], a[3] and b1, the element t + 4. The lowest 13 bits of a factor are
//                          ignored.
//   ROUND_TF32(r)          Rounds the float32 numbers in r[0] to r[3] to TF32: to the nearest number, ties away from 0.
//   SPLIT_TF32(r)          The same, and stores the rounding errors, rounded to TF32, in r[4] to r[7].
//   PACK_bfloat16(low, high), PACK_float16(low, high)
//                          Rounds two float32 numbers to 16 bits (to the nearest number, ties to even), and returns
//                          both in one register, with `low` in its lower half.
//   SHUFFLE_XOR(x, mask)   Returns the `x` of the work-item at position lane ^ mask.
//   COPY_ASYNC(to, from, bytes)   Starts an asynchronous copy from global memory to 16 bytes of local memory. It reads
//                          only the first `bytes` bytes; the others become zeros. Both addresses are multiples of 16.
//   COPY_ASYNC_COMMIT()    Closes a group: the copies that the work-item has started since the last group.
//   COPY_ASYNC_WAIT(count) Waits until all groups of the work-item but the last `count` are complete.
//
// Source: NVIDIA's reference of the PTX instructions ldmatrix, mma, cvt and cp.async.

#if !defined(PTX_FUNCTIONS)
INLINE u32 ptx_local_address(const void *p) { return (u32)__cvta_generic_to_shared(p); }
INLINE void LOAD_MATRIX(u32 *r, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(ptx_local_address(row))
               : "memory");
}
INLINE void LOAD_MATRIX_TRANSPOSED(u32 *r, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(ptx_local_address(row))
               : "memory");
}
#define PTX_MMA(name, T, reference, instruction)                                                          \
  INLINE void MMA_##name(T *d, const u32 *a, u32 b0, u32 b1) {                                            \
    asm volatile("mma.sync.aligned." instruction " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
        : reference(d[0]), reference(d[1]), reference(d[2]), reference(d[3])                              \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));                                  \
  }
PTX_MMA(bfloat16, float, "+f", "m16n8k16.row.col.f32.bf16.bf16.f32")
PTX_MMA(float16, float, "+f", "m16n8k16.row.col.f32.f16.f16.f32")
PTX_MMA(int8, int, "+r", "m16n8k32.row.col.s32.s8.s8.s32")
PTX_MMA(tf32, float, "+f", "m16n8k8.row.col.f32.tf32.tf32.f32")
INLINE u32 ptx_tf32(float x) {
  u32 result;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(x));
  return result;
}
#define PTX_PACK(name, instruction)                                                \
  INLINE u32 PACK_##name(float low, float high) {                                  \
    u32 result;                                                                    \
    asm(instruction " %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));          \
    return result;                                                                 \
  }
PTX_PACK(bfloat16, "cvt.rn.bf16x2.f32")
PTX_PACK(float16, "cvt.rn.f16x2.f32")
INLINE void COPY_ASYNC(void *to, const void *from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(ptx_local_address(to)), "l"(__cvta_generic_to_global(from)), "r"(bytes)
               : "memory");
}
INLINE void COPY_ASYNC_COMMIT(void) { asm volatile("cp.async.commit_group;" ::: "memory"); }
#define COPY_ASYNC_WAIT(count) asm volatile("cp.async.wait_group %0;" ::"n"(count) : "memory")
#endif
#define SHUFFLE_XOR(x, mask) __shfl_xor_sync(0xffffffffu, x, mask)
INLINE void ROUND_TF32(u32 *r) {
  UNROLL for (int i = 0; i < 4; i += 1) r[i] = ptx_tf32(AS_F(r[i]));
}
INLINE void SPLIT_TF32(u32 *r) {
  UNROLL for (int i = 0; i < 4; i += 1) {
    const u32 high = ptx_tf32(AS_F(r[i]));
    // The lowest 13 bits of `high` are not defined.
    r[i + 4] = ptx_tf32(AS_F(r[i]) - AS_F(high & 0xFFFFE000));
    r[i] = high;
  }
}
