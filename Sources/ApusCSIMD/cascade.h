// The length of the accumulation chains of a cascade, in which long sums are computed (see Kernels/reduce.def).
//
// csimd.h does not include this file. If it did, Swift files that import ApusCSIMD would also import Kernels. The
// enumerations in Kernels, such as ElementwiseRow, have the same names as types of ApusDevice.

#include "../../Kernels/include/chain.h"

/// The largest number of terms of a chain.
#define CSIMD_CHAIN APUS_CHAIN
