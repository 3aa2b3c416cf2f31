// The instruction set that every machine of the target has: SSE2 on x86-64, NEON (with fma) on AArch64.
#include "csimd.h"
#include <math.h>
#include <string.h>
#define CSIMD_ISA_NAME "baseline"
#define CSIMD_TABLE csimd_baseline
#if defined(__aarch64__)
#define CSIMD_HAS_FMA 1
#define CSIMD_REGISTERS 8
#else
#define CSIMD_HAS_FMA 0
#define CSIMD_REGISTERS 4
#endif
// Debug information about source lines would take a fifth of the compile time, so it is left out.
#pragma clang attribute push(__attribute__((nodebug)), apply_to = hasType(functionType))
#include "loops.h"
#pragma clang attribute pop
