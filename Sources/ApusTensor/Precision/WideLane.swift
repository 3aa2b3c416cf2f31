import ApusDevice

// Every result of an operation is rounded to its type. A function that consists of several operations computes them in
// `float32` where the type has 16 bits, so that it is rounded once and overflows only where its value does. Programs keep
// the values between in registers of `float32` in any case.

extension Tensor {
  /// The tensor, or its values as `float32` where its type has 16 bits.
  package var wideLane: Tensor { dtype == .float16 || dtype == .bfloat16 ? cast(to: .float32) : self }

  /// `body` of the values as `float32` where the type has 16 bits; its result is rounded to this tensor's type then.
  package func inWideLane(_ body: (Tensor) -> Tensor) -> Tensor {
    guard dtype == .float16 || dtype == .bfloat16 else { return body(self) }
    return body(cast(to: .float32)).cast(to: dtype)
  }

  /// The same for several tensors, which are brought to one floating-point type first.
  package static func inWideLane(_ tensors: [Tensor], _ body: ([Tensor]) -> Tensor) -> Tensor {
    let common = floatingType(tensors)
    guard common == .float16 || common == .bfloat16 else { return body(tensors.map { $0.cast(to: common) }) }
    return body(tensors.map { $0.cast(to: .float32) }).cast(to: common)
  }

  /// As `inWideLane`, for sums and what consists of them: in mixed precision the result stays `float32`.
  package func wide(_ body: (Tensor) -> Tensor) -> Tensor { widened.floating.inWideLane(body) }
}
