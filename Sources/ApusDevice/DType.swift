/// The element type of a tensor or buffer.
///
/// `float16` and `bfloat16` are storage types on every device: values are converted on load, computed in `float32` and
/// rounded after each operation.
public enum DType: UInt8, Sendable, Hashable, CaseIterable {
  case bool, uint8, int8, int32, int64, float16, bfloat16, float32, float64
}

/// The arithmetic type of a value inside a program, the elementwise code of a step. It has nothing to do with the lanes
/// of SIMD vectors.
public enum Lane: UInt8, Sendable, Hashable, CaseIterable {
  case int32, int64, float32, float64
}

extension DType {
  /// The size of one element in bytes; a `bool` is one byte with the value 0 or 1.
  public var byteCount: Int {
    switch self {
    case .bool, .uint8, .int8: 1
    case .float16, .bfloat16: 2
    case .int32, .float32: 4
    case .int64, .float64: 8
    }
  }

  /// Whether the type is one of the four floating-point types.
  public var isFloatingPoint: Bool { rawValue >= DType.float16.rawValue }

  /// Whether the type is a signed or unsigned integer (`bool` is not).
  public var isInteger: Bool { self != .bool && !isFloatingPoint }

  /// The arithmetic type (lane) in which elements of this type are computed: `float32` for 16-bit floats, `int32` for
  /// `bool`, `uint8` and `int8`.
  public var lane: Lane {
    switch self {
    case .bool, .uint8, .int8, .int32: .int32
    case .int64: .int64
    case .float16, .bfloat16, .float32: .float32
    case .float64: .float64
    }
  }
}

extension DType: CustomStringConvertible {
  public var description: String {
    switch self {
    case .bool: "bool"
    case .uint8: "uint8"
    case .int8: "int8"
    case .int32: "int32"
    case .int64: "int64"
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    case .float32: "float32"
    case .float64: "float64"
    }
  }
}

extension Lane: CustomStringConvertible {
  public var description: String {
    switch self {
    case .int32: "int32"
    case .int64: "int64"
    case .float32: "float32"
    case .float64: "float64"
    }
  }

  /// The element type that stores a value of this lane without conversion.
  public var dtype: DType {
    switch self {
    case .int32: .int32
    case .int64: .int64
    case .float32: .float32
    case .float64: .float64
    }
  }
}
