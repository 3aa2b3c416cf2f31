import ApusDevice

extension Download {
  /// Whether any element, of type `dtype`, is NaN or infinite.
  func hasNonFinite(_ dtype: DType) throws(DeviceError) -> Bool {
    try wait { bytes in
      switch dtype {
      case .float16: contains(bytes.bindMemory(to: UInt16.self), exponent: 0x7C00)
      case .bfloat16: contains(bytes.bindMemory(to: UInt16.self), exponent: 0x7F80)
      case .float32: contains(bytes.bindMemory(to: UInt32.self), exponent: 0x7F80_0000)
      case .float64: contains(bytes.bindMemory(to: UInt64.self), exponent: 0x7FF0_0000_0000_0000)
      default: false
      }
    }
  }

  /// The elements, of type `dtype`, as `Double`; empty for types that have no NaN.
  func numbers(_ dtype: DType) throws(DeviceError) -> [Double] {
    try wait { bytes in
      switch dtype {
      case .float16: bytes.bindMemory(to: Float16.self).map { Double($0) }
      case .bfloat16: bytes.bindMemory(to: BFloat16.self).map { Double(Float($0)) }
      case .float32: bytes.bindMemory(to: Float.self).map { Double($0) }
      case .float64: Array(bytes.bindMemory(to: Double.self))
      default: []
      }
    }
  }
}

/// Whether any element has all bits of the mask `exponent` set. In such an element, adding the lowest bit of the mask
/// to the exponent carries into the sign bit. The inner loop has no branch, so that it is vectorized.
private func contains<Bits: FixedWidthInteger & UnsignedInteger>(
  _ elements: UnsafeBufferPointer<Bits>, exponent: Bits
) -> Bool {
  let lowest = exponent & (~exponent &+ 1)
  for start in stride(from: 0, to: elements.count, by: 4096) {
    var carries: Bits = 0
    for index in start..<min(start + 4096, elements.count) { carries |= (elements[index] & exponent) &+ lowest }
    if carries.leadingZeroBitCount == 0 { return true }
  }
  return false
}
