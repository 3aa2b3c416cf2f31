/// The precision to which a device may round the `float32` factors of a matrix product or convolution. Products are
/// summed in `float32` in any case.
///
/// Only some devices have matrix units for TF32; see `Device.fastInputPrecisions`. All others multiply `float32` factors
/// without rounding.
public enum InputPrecision: Int, Hashable, Sendable, CaseIterable {
  /// Factors are not rounded.
  case float32
  /// Factors are rounded to TF32 (TensorFloat-32): the exponents of `float32`, and significands of 11 bits. The relative
  /// error of a factor is at most 2⁻¹¹.
  case tf32
  /// Each factor is split into two TF32 numbers: the rounded factor, and its rounding error, which is rounded, too.
  /// Three products of these numbers are added; the fourth, the product of both rounding errors, is omitted. The
  /// relative error of a product is at most 2⁻²⁰. A sum with an infinite factor may be NaN. (Ootomo and Yokota,
  /// "Recovering single precision accuracy from Tensor Cores while surpassing the FP32 theoretical peak performance",
  /// 2022.)
  case tf32x3
}
