// The length of the accumulation chains of a cascade (see Kernels/reduce.def). csimd.h does not include this file: files
// that import ApusCSIMD would also import Kernels, whose types of rows have the names of those of ApusDevice.

#include "../../Kernels/include/chain.h"

/// The largest number of terms of a chain.
#define CSIMD_CHAIN APUS_CHAIN
