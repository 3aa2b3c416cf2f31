/// The safetensors format, as version 0.8 of its library defines it (https://github.com/huggingface/safetensors).
///
/// ```text
/// u64 N, N bytes of JSON {name: {dtype, shape, data_offsets: [begin, end]}}, tensors one after the other
/// ```
/// Everything is little-endian; tensors are in row-major order and contiguous, without gaps.
public enum Safetensors {
  /// The largest header that is read, enough for about 80,000 tensors.
  public static let maximumHeaderByteCount = 8 << 20

  /// The element types; a writer stores tensors in the reverse of this order, as the library does.
  public enum ElementType: String, Sendable, CaseIterable {
    case bool = "BOOL"
    case float4 = "F4"
    case float6E2M3 = "F6_E2M3"
    case float6E3M2 = "F6_E3M2"
    case uint8 = "U8"
    case int8 = "I8"
    case float8E5M2 = "F8_E5M2"
    case float8E4M3 = "F8_E4M3"
    case float8E8M0 = "F8_E8M0"
    case int16 = "I16"
    case uint16 = "U16"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int32 = "I32"
    case uint32 = "U32"
    case float32 = "F32"
    case complex64 = "C64"
    case float64 = "F64"
    case int64 = "I64"
    case uint64 = "U64"

    /// The size of one element in bits; some types are smaller than a byte.
    public var bitCount: Int {
      switch self {
      case .float4: 4
      case .float6E2M3, .float6E3M2: 6
      case .bool, .uint8, .int8, .float8E5M2, .float8E4M3, .float8E8M0: 8
      case .int16, .uint16, .float16, .bfloat16: 16
      case .int32, .uint32, .float32: 32
      case .complex64, .float64, .int64, .uint64: 64
      }
    }

    var order: Int { ElementType.allCases.firstIndex(of: self)! }
  }

  /// The description of one tensor in a header.
  public struct Entry: Hashable, Sendable {
    public var name: String
    /// The type of the elements, `dtype` in the header.
    public var type: ElementType
    /// The extents of the axes; none for a single number.
    public var shape: [Int]
    /// The byte range of the elements, counted from the end of the header.
    public var range: Range<Int>

    public init(name: String, type: ElementType, shape: [Int], range: Range<Int>) {
      self.name = name
      self.type = type
      self.shape = shape
      self.range = range
    }
  }

  /// The size of a tensor in bytes; `nil` when the size is not a whole number or does not fit `Int`, or when an extent
  /// is negative.
  static func byteCount(_ shape: [Int], _ type: ElementType) -> Int? {
    var bits = type.bitCount
    for extent in shape {
      let (product, overflow) = bits.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow else { return nil }
      bits = product
    }
    return bits % 8 == 0 ? bits / 8 : nil
  }
}
