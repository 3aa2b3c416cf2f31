import ApusDevice

/// A Swift type that tensors can be created from and read as.
public protocol TensorElement: BitwiseCopyable, Sendable {
  /// The element type with the same bits.
  static var dtype: DType { get }
}

extension Float: TensorElement { public static var dtype: DType { .float32 } }
extension Double: TensorElement { public static var dtype: DType { .float64 } }
extension Float16: TensorElement { public static var dtype: DType { .float16 } }
extension Int64: TensorElement { public static var dtype: DType { .int64 } }
extension Int: TensorElement { public static var dtype: DType { .int64 } }
extension Int32: TensorElement { public static var dtype: DType { .int32 } }
extension Int8: TensorElement { public static var dtype: DType { .int8 } }
extension UInt8: TensorElement { public static var dtype: DType { .uint8 } }
extension Bool: TensorElement { public static var dtype: DType { .bool } }

/// A 16-bit floating-point number with the exponent of a `Float` and 7 bits of fraction (Google's "brain" format).
///
/// It stores and converts values; arithmetic is done in `Float` or by tensors.
public struct BFloat16: TensorElement, Hashable {
  /// The upper half of the bits of the same number as a `Float`.
  public var bitPattern: UInt16

  /// `bfloat16`.
  public static var dtype: DType { .bfloat16 }

  /// The number with these bits.
  public init(bitPattern: UInt16) { self.bitPattern = bitPattern }

  /// The nearest number; ties round to even. NaN becomes a quiet NaN.
  public init(_ value: Float) {
    bitPattern = bfloat16Bits(value)
  }

  /// Equality as for `Float`: 0 and −0 are equal, NaN is not equal to itself.
  public static func == (left: BFloat16, right: BFloat16) -> Bool { Float(left) == Float(right) }

  public func hash(into hasher: inout Hasher) { hasher.combine(Float(self)) }
}

extension BFloat16: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral, CustomStringConvertible {
  /// The literal as a `Float`, rounded to the nearest number.
  public init(integerLiteral value: Int) { self.init(Float(value)) }

  /// The literal as a `Float`, rounded to the nearest number.
  public init(floatLiteral value: Float) { self.init(value) }

  public var description: String { Float(self).description }
}

extension Float {
  /// The same number; every `BFloat16` is a `Float`.
  public init(_ value: BFloat16) { self.init(bitPattern: UInt32(value.bitPattern) << 16) }
}
