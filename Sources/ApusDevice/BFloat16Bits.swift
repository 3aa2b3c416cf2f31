public import Kernels

/// The bits of the `bfloat16` nearest to a number, as the devices round: ties to even, and NaN becomes a quiet NaN.
@inlinable package func bfloat16Bits(_ value: Float) -> UInt16 { apus_bfloat16_bits(value.bitPattern) }
