// Instructions of NVIDIA's devices with compute capability 9.0 (Hopper), compiled for sm_90a: mbarriers (barriers in
// local memory), copies of tiles by the tensor memory accelerator (TMA), and warpgroup MMA (wgmma). Included after
// prelude/matrix.h. A compiler for processors without PTX, such as the CUDA stand-in of the tests, defines
// PTX_FUNCTIONS and its own versions of these functions.
//
// A warpgroup is four consecutive warps; the number of its first warp is a multiple of 4. `bar` points to an mbarrier,
// a u64 in local memory. The phases of an mbarrier have the parities 0, 1, 0, … A phase completes when the number of
// arrivals is the `count` of MBARRIER_INIT and all expected bytes have been copied.
//
//   LOCAL_TILES(type, name, count)   Declares an array in local memory at a multiple of 1024 bytes, where swizzle
//                          patterns begin.
//   MBARRIER_INIT(bar, count)        Initializes an mbarrier. Before the mbarrier is used, the same work-item calls
//                          MBARRIER_FENCE(), and then all work-items call BARRIER().
//   MBARRIER_ARRIVE(bar)             Arrives.
//   MBARRIER_EXPECT(bar, bytes)      Arrives, and lets the phase also wait for copies of this number of bytes.
//   MBARRIER_WAIT(bar, parity)       Waits until the phase with this parity has completed. It returns at once if the
//                          current phase has the other parity, so parity 1 does not wait in the first phase.
//   NAMED_BARRIER(id, count), NAMED_BARRIER_ARRIVE(id, count)   Barrier `id` (1 to 15) of `count` work-items, which
//                          form whole warps (bar.sync). The second function arrives without waiting (bar.arrive).
//   ELECT()                Elects one work-item of the warp: returns 1 to it, and 0 to the others. All work-items of
//                          the warp must call it.
//   REGISTERS_INCREASE(count), REGISTERS_DECREASE(count)   Sets the number of registers per work-item (setmaxnreg). All
//                          warps of a warpgroup must call it.
//   ASYNC_FENCE()          Orders the work-item's earlier accesses to local memory before later TMA copies and wgmma
//                          instructions, which access memory through the async proxy.
//
//   TENSOR_MAP name        Declares a kernel parameter: a tensor map that cuTensorMapEncodeTiled has encoded on the
//                          host.
//   TMA_LOAD_2D(to, map, x, y, bar), TMA_LOAD_3D(to, map, x, y, z, bar)   Starts to copy a box of a tensor to local
//                          memory. (x, y, z) is the position of the box's first element. It may be negative; elements
//                          outside of the tensor become zeros. The bytes of the whole box count for `bar`. One
//                          work-item calls the function.
//   TMA_STORE_2D(map, from, x, y), TMA_STORE_3D(map, from, x, y, z)       Starts to copy a box from local memory to the
//                          tensor; elements of the box outside of the tensor are not stored.
//   TMA_COMMIT()           Closes a group: the stores that the work-item has started since the last group.
//   TMA_WAIT(count)        Waits until all groups of the work-item but the last `count` are stored.
//   TMA_WAIT_READ(count)   Waits only until these groups have read local memory, which can then be overwritten.
//
//   WGMMA_DESCRIPTOR(p, leading, stride, swizzle)   Returns the matrix descriptor of a factor in local memory that
//                          begins at `p`. The swizzle is WGMMA_128B, WGMMA_64B, WGMMA_32B or WGMMA_NONE. With W bytes
//                          of swizzle, a layout is K-major or MN-major. K-major: 8 rows (or columns) of W bytes follow
//                          one another; `stride` is the distance in bytes from 8 rows to the next 8; `leading` is not
//                          used. MN-major: 8 terms of W bytes, each with the elements of W / 2 rows (or columns),
//                          follow one another; `stride` is the distance in bytes from 8 terms to the next 8, and
//                          `leading` the distance in bytes from W / 2 rows to the next ones.
//   WGMMA_ADVANCE(descriptor, bytes)   Returns the descriptor of a factor that begins `bytes` later.
//   WGMMA_bfloat16_m64n128<major, major>(d, a, b, accumulate)   Issues a wgmma: D = A · B, or D += A · B if
//                          `accumulate` is not 0. `a` and `b` are the descriptors of A (64 × 16) and B (16 × n); the
//                          layout of each is K_MAJOR (the default) or MN_MAJOR. Types: bfloat16, float16 and tf32
//                          (float32 numbers without their last 13 bits; 8 terms; K-major only). n is 64, 128 or 256.
//                          D has n / 2 float32 registers per work-item. With w the index of the warp in the warpgroup,
//                          g = lane / 4 and t = lane % 4, d[i] is in row 16w + g + i / 2 % 2 · 8 and
//                          column i / 4 · 8 + 2t + i % 2.
//   WGMMA_REGISTERS_bfloat16_m64n128<major>(d, a, b, accumulate)   The same with A in four registers per work-item,
//                          laid out as in MMA_bfloat16; the warp has rows 16w to 16w + 15 of A. For tf32: a[i] is in
//                          row g + i % 2 · 8 of these and in column t + i / 2 · 4.
//   WGMMA_FENCE()          Must precede the first wgmma, and each wgmma whose registers (of D or A) other instructions
//                          have changed.
//   WGMMA_COMMIT()         Closes a group: the wgmma instructions since the last group.
//   WGMMA_WAIT(count)      Waits until all groups but the last `count` are complete. Until then, only wgmma
//                          instructions may access their registers, and their factors in local memory must not be
//                          overwritten.
//   WGMMA_KEEP(d)          Keeps the compiler from moving accesses to the registers `d` across the call.
//
// Source: NVIDIA's reference of PTX: mbarrier, cp.async.bulk.tensor, wgmma, elect.sync, setmaxnreg, bar.

#define WGMMA_NONE 0
#define WGMMA_128B 1
#define WGMMA_64B 2
#define WGMMA_32B 3
#define K_MAJOR 0
#define MN_MAJOR 1
#define LOCAL_TILES(type, name, count) __shared__ __align__(1024) type name[count]
struct __align__(64) TensorMap {
  u64 words[16];
};
#define TENSOR_MAP const __grid_constant__ TensorMap

#if !defined(PTX_FUNCTIONS)
#define WGMMA_ADVANCE(descriptor, bytes) ((descriptor) + (u64)((bytes) >> 4))
INLINE u64 WGMMA_DESCRIPTOR(const void *p, int leading, int stride, int swizzle) {
  return (u64)((ptx_local_address(p) & 0x3ffff) >> 4) | (u64)(leading >> 4) << 16 | (u64)(stride >> 4) << 32 |
      (u64)swizzle << 62;
}
INLINE void MBARRIER_INIT(u64 *bar, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(ptx_local_address(bar)), "r"(count) : "memory");
}
INLINE void MBARRIER_FENCE(void) { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
INLINE void MBARRIER_ARRIVE(u64 *bar) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(ptx_local_address(bar)) : "memory");
}
INLINE void MBARRIER_EXPECT(u64 *bar, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(ptx_local_address(bar)), "r"(bytes)
               : "memory");
}
INLINE void MBARRIER_WAIT(u64 *bar, int parity) {
  for (int is_complete = 0; !is_complete;) {
    asm volatile("{\n.reg .pred p;\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
                 "selp.b32 %0, 1, 0, p;\n}"
                 : "=r"(is_complete)
                 : "r"(ptx_local_address(bar)), "r"(parity)
                 : "memory");
  }
}
INLINE void NAMED_BARRIER(int id, int count) { asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(count) : "memory"); }
INLINE void NAMED_BARRIER_ARRIVE(int id, int count) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(count) : "memory");
}
INLINE int ELECT(void) {
  int is_elected;
  asm volatile("{\n.reg .pred p;\nelect.sync _|p, 0xffffffff;\nselp.b32 %0, 1, 0, p;\n}" : "=r"(is_elected));
  return is_elected;
}
#define REGISTERS_INCREASE(count) asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count))
#define REGISTERS_DECREASE(count) asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count))
INLINE void ASYNC_FENCE(void) { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

#define PTX_TMA_LOAD "shared::cluster.global.tile.mbarrier::complete_tx::bytes"
INLINE void TMA_LOAD_2D(void *to, const TensorMap *map, int x, int y, u64 *bar) {
  asm volatile("cp.async.bulk.tensor.2d." PTX_TMA_LOAD " [%0], [%1, {%2, %3}], [%4];" ::"r"(ptx_local_address(to)),
               "l"(map), "r"(x), "r"(y), "r"(ptx_local_address(bar))
               : "memory");
}
INLINE void TMA_LOAD_3D(void *to, const TensorMap *map, int x, int y, int z, u64 *bar) {
  asm volatile("cp.async.bulk.tensor.3d." PTX_TMA_LOAD " [%0], [%1, {%2, %3, %4}], [%5];" ::"r"(ptx_local_address(to)),
               "l"(map), "r"(x), "r"(y), "r"(z), "r"(ptx_local_address(bar))
               : "memory");
}
INLINE void TMA_STORE_2D(const TensorMap *map, const void *from, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%2, %3}], [%1];" ::"l"(map),
               "r"(ptx_local_address(from)), "r"(x), "r"(y)
               : "memory");
}
INLINE void TMA_STORE_3D(const TensorMap *map, const void *from, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(map),
               "r"(ptx_local_address(from)), "r"(x), "r"(y), "r"(z)
               : "memory");
}
INLINE void TMA_COMMIT(void) { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
#define TMA_WAIT(count) asm volatile("cp.async.bulk.wait_group %0;" ::"n"(count) : "memory")
#define TMA_WAIT_READ(count) asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(count) : "memory")

INLINE void WGMMA_FENCE(void) { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
INLINE void WGMMA_COMMIT(void) { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
#define WGMMA_WAIT(count) asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(count) : "memory")
template <int count> INLINE void WGMMA_KEEP(float (&d)[count]) {
  UNROLL for (int i = 0; i < count; i += 1) asm volatile("" : "+f"(d[i])::"memory");
}

// The operand names %0, %1, … of the registers of D in instructions with n = 64, 128 and 256.
#define PTX_NAMES_64 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15" \
  ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define PTX_NAMES_128 \
  PTX_NAMES_64 \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47" \
  ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define PTX_NAMES_256 \
  PTX_NAMES_128 \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79" \
  ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95" \
  ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111" \
  ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define PTX_D_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define PTX_D_16(i) PTX_D_4(i), PTX_D_4(i + 4), PTX_D_4(i + 8), PTX_D_4(i + 12)
#define PTX_D_64 PTX_D_16(0), PTX_D_16(16)
#define PTX_D_128 PTX_D_64, PTX_D_16(32), PTX_D_16(48)
#define PTX_D_256 PTX_D_128, PTX_D_16(64), PTX_D_16(80), PTX_D_16(96), PTX_D_16(112)
#define PTX_WGMMA(n, shape, D, rest) \
  "{\n.reg .pred p;\nsetp.ne.b32 p, " D ", 0;\n" \
  "wgmma.mma_async.sync.aligned.m64n" #n shape " {" PTX_NAMES_##n "}, " rest ";\n}"
// o0 to o6 are the names of the operands after D.
#define PTX_WGMMA_HALF(name, n, shape, o0, o1, o2, o3, o4, o5, o6) \
  template <int left = K_MAJOR, int right = K_MAJOR> \
  INLINE void WGMMA_##name##_m64n##n(float *d, u64 a, u64 b, int accumulate) { \
    asm volatile(PTX_WGMMA(n, shape, o2, o0 ", " o1 ", p, 1, 1, " o3 ", " o4) \
                 : PTX_D_##n : "l"(a), "l"(b), "r"(accumulate), "n"(left), "n"(right)); \
  } \
  template <int right = K_MAJOR> \
  INLINE void WGMMA_REGISTERS_##name##_m64n##n(float *d, const u32 *a, u64 b, int accumulate) { \
    asm volatile(PTX_WGMMA(n, shape, o5, "{" o0 ", " o1 ", " o2 ", " o3 "}, " o4 ", p, 1, 1, " o6) \
                 : PTX_D_##n : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate), "n"(right)); \
  }
#define PTX_WGMMA_TF32(n, o0, o1, o2, o3, o4, o5, o6) \
  INLINE void WGMMA_tf32_m64n##n(float *d, u64 a, u64 b, int accumulate) { \
    asm volatile(PTX_WGMMA(n, "k8.f32.tf32.tf32", o2, o0 ", " o1 ", p, 1, 1") \
                 : PTX_D_##n : "l"(a), "l"(b), "r"(accumulate)); \
  } \
  INLINE void WGMMA_REGISTERS_tf32_m64n##n(float *d, const u32 *a, u64 b, int accumulate) { \
    asm volatile(PTX_WGMMA(n, "k8.f32.tf32.tf32", o5, "{" o0 ", " o1 ", " o2 ", " o3 "}, " o4 ", p, 1, 1") \
                 : PTX_D_##n : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate)); \
  }
#define PTX_WGMMA_ALL(n, ...) \
  PTX_WGMMA_HALF(bfloat16, n, "k16.f32.bf16.bf16", __VA_ARGS__) \
  PTX_WGMMA_HALF(float16, n, "k16.f32.f16.f16", __VA_ARGS__) \
  PTX_WGMMA_TF32(n, __VA_ARGS__)
PTX_WGMMA_ALL(64, "%32", "%33", "%34", "%35", "%36", "%37", "%38")
PTX_WGMMA_ALL(128, "%64", "%65", "%66", "%67", "%68", "%69", "%70")
PTX_WGMMA_ALL(256, "%128", "%129", "%130", "%131", "%132", "%133", "%134")
#endif
