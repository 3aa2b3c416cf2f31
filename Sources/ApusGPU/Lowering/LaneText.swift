import ApusDevice

/// The names of arithmetic types (lanes) and element types in kernel source.
extension Lane {
  /// The type of a register: a vector of 16 elements in kernels for CPUs, a single element in kernels for GPUs.
  var vector: String {
    switch self {
    case .int32: "VI"
    case .int64: "VL"
    case .float32: "VF"
    case .float64: "VD"
    }
  }

  /// The type of one element.
  var scalar: String {
    switch self {
    case .int32: "int"
    case .int64: "i64"
    case .float32: "float"
    case .float64: "double"
    }
  }

  /// The suffix in the names of functions that compute in this type.
  var suffix: String {
    switch self {
    case .int32: "i32"
    case .int64: "i64"
    case .float32: "f32"
    case .float64: "f64"
    }
  }
}

extension DType {
  /// The type of an element in memory.
  var storage: String {
    switch self {
    case .bool, .uint8: "u8"
    case .int8: "i8"
    case .float16, .bfloat16: "u16"
    case .int32: "int"
    case .int64: "i64"
    case .float32: "float"
    case .float64: "double"
    }
  }
}

extension Scalar {
  /// Returns the bits of the number as a value of `lane`, zero-extended to 64 bits.
  func bits(_ lane: Lane) -> UInt64 {
    switch lane {
    case .int32: UInt64(UInt32(bitPattern: Int32(truncatingIfNeeded: integer)))
    case .int64: UInt64(bitPattern: integer)
    case .float32: UInt64(Float(double).bitPattern)
    case .float64: double.bitPattern
    }
  }

  /// Returns code for the number as a constant of type `lane`. The code contains the bits of the number, so that no
  /// conversion from decimal digits rounds it.
  func text(_ lane: Lane) -> String {
    "CONSTANT_\(lane.suffix)(0x\(String(bits(lane), radix: 16)))"
  }
}
