import ApusTensor

extension Module {
  /// Converts all parameters and all floating-point statistics (PyTorch's buffers) to another type, as PyTorch's
  /// `model.double()`.
  ///
  /// ```swift
  /// model.convert(to: .float64)
  /// let y = model(x.cast(to: .float64))
  /// ```
  /// Layers compute in the type of their parameters and require inputs of the same type. A narrower type rounds the
  /// values; converting back does not restore them. Integer statistics, such as a batch norm's count of batches, stay
  /// integers. Shared parameters stay shared, frozen ones stay frozen.
  ///
  /// `float64` is for comparisons in which rounding must not interfere. It needs twice the memory of `float32`, and
  /// most GPUs have fewer arithmetic units for it. A device without `float64` throws when values are computed.
  /// `float16` and `bfloat16` are for inference: they need half the memory, but rounding would lose small updates.
  /// Mixed precision trains with 16-bit types and keeps parameters in `float32`, see `Optimizer`.
  ///
  /// Optimizers, model averages and tensors that were created from the model before the conversion keep the old type:
  /// create them again.
  /// - Precondition: `dtype` is floating-point.
  public func convert(to dtype: DType) {
    guard dtype.isFloatingPoint else { fatalError("convert: \(dtype) is not floating-point") }
    for entry in state.entries where entry.dtype.isFloatingPoint { entry.box.convert(to: dtype) }
  }
}
