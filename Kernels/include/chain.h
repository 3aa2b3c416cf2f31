#ifndef APUS_KERNEL_CHAIN_H
#define APUS_KERNEL_CHAIN_H

/// The largest number of terms that an accumulation chain adds one after another (see `reduce.def`); a power of two.
#define APUS_CHAIN 16

#endif
