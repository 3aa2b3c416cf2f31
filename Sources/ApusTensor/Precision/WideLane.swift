import ApusDevice

// Every operation rounds its result to the result's type. If this type has 16 bits, a function that consists of several
// operations computes in `float32`. So the function rounds only once, and intermediate values may exceed the range of
// `float16`. This needs no further memory, because fused programs hold 16-bit values in `float32` registers anyway.

extension Tensor {
  /// The tensor itself or, if its type has 16 bits, its values as `float32`.
  package var wideLane: Tensor { dtype == .float16 || dtype == .bfloat16 ? cast(to: .float32) : self }

  /// Applies `body` to the values, as `float32` if the type has 16 bits. The result is then rounded to this tensor's
  /// type.
  package func inWideLane(_ body: (Tensor) -> Tensor) -> Tensor {
    guard dtype == .float16 || dtype == .bfloat16 else { return body(self) }
    return body(cast(to: .float32)).cast(to: dtype)
  }

  /// Applies `body` to several tensors in the same way; they are cast to one floating-point type first.
  package static func inWideLane(_ tensors: [Tensor], _ body: ([Tensor]) -> Tensor) -> Tensor {
    let common = floatingType(tensors)
    guard common == .float16 || common == .bfloat16 else { return body(tensors.map { $0.cast(to: common) }) }
    return body(tensors.map { $0.cast(to: .float32) }).cast(to: common)
  }

  /// As `inWideLane`, for sums and functions of sums: in mixed precision the result stays `float32`.
  package func wide(_ body: (Tensor) -> Tensor) -> Tensor { widened.floating.inWideLane(body) }
}
