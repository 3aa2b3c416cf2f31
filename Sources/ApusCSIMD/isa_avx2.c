#include "csimd.h"
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>
#define CSIMD_ISA_NAME "avx2"
#define CSIMD_TABLE csimd_avx2
#define CSIMD_HAS_FMA 1
#define CSIMD_HAS_F16C 1
#define CSIMD_REGISTERS 8
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
// Debug information about source lines would take a fifth of the compile time, so it is left out.
#pragma clang attribute push(__attribute__((nodebug)), apply_to = hasType(functionType))
#include "loops.h"
#pragma clang attribute pop
#pragma clang attribute pop
#endif
