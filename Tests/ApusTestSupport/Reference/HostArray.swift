import ApusDevice

/// Elements of one type in host memory.
struct HostArray {
  let dtype: DType
  let count: Int
  private let buffer: HostBuffer
  private let offset: Int

  init(_ value: Plan.Value, in buffer: HostBuffer, at offset: Int) {
    precondition(offset + value.byteCount <= buffer.byteCount)
    (dtype, count, self.buffer, self.offset) = (value.dtype, value.elementCount, buffer, offset)
  }

  /// The address of the first element.
  var pointer: UnsafeMutableRawPointer { buffer.bytes.baseAddress! + offset }

  /// An array for `value` in the memory of this array, starting at `element`.
  func part(_ value: Plan.Value, at element: Int) -> HostArray {
    HostArray(value, in: buffer, at: offset + element * dtype.byteCount)
  }

  /// The element as a number of the arithmetic type `dtype.lane`.
  subscript(index: Int) -> Scalar {
    get {
      precondition(index >= 0 && index < count)
      let byte = offset + index * dtype.byteCount
      func load<T: BitwiseCopyable>(_ type: T.Type) -> T {
        buffer.bytes.loadUnaligned(fromByteOffset: byte, as: T.self)
      }
      switch dtype {
      case .bool, .uint8: return .integer(Int64(load(UInt8.self)))
      case .int8: return .integer(Int64(load(Int8.self)))
      case .int32: return .integer(Int64(load(Int32.self)))
      case .int64: return .integer(load(Int64.self))
      case .float16: return .float(Rounding.float16.value(ofBits: load(UInt16.self)))
      case .bfloat16: return .float(Rounding.bfloat16.value(ofBits: load(UInt16.self)))
      case .float32: return .float(Double(load(Float.self)))
      case .float64: return .float(load(Double.self))
      }
    }
    nonmutating set {
      precondition(index >= 0 && index < count)
      let byte = offset + index * dtype.byteCount
      func store(_ value: some BitwiseCopyable) {
        buffer.bytes.storeBytes(of: value, toByteOffset: byte, as: type(of: value))
      }
      switch dtype {
      // Elementwise programs round and wrap before they store, so a number outside of the type's range is a defect of
      // the plan.
      case .bool:
        precondition((0...1).contains(newValue.integer), "\(newValue) stored as bool")
        store(UInt8(newValue.integer))
      case .uint8: store(UInt8(newValue.integer))
      case .int8: store(Int8(newValue.integer))
      case .int32: store(Int32(newValue.integer))
      case .int64: store(newValue.integer)
      case .float16: store(Rounding.float16.bits(of: newValue.double))
      case .bfloat16: store(Rounding.bfloat16.bits(of: newValue.double))
      case .float32: store(Float(newValue.double))
      case .float64: store(newValue.double)
      }
    }
  }

  // MARK: - Numbers

  /// A new array of numbers, each rounded or wrapped to the type.
  init(_ numbers: [Double], _ dtype: DType) {
    self.init(count: numbers.count, dtype)
    for (index, number) in numbers.enumerated() {
      switch dtype {
      case .bool: self[index] = .integer(number == 0 ? 0 : 1)
      case _ where dtype.isFloatingPoint: self[index] = dtype.rounded(.float(number))
      default: self[index] = dtype.rounded(.integer(Int64(number)))
      }
    }
  }

  /// A new array with these bytes.
  init(bytes: UnsafeRawBufferPointer, _ dtype: DType) {
    self.init(count: bytes.count / dtype.byteCount, dtype)
    buffer.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<(count * dtype.byteCount)]))
  }

  private init(count: Int, _ dtype: DType) {
    let value = Plan.Value(dtype: dtype, elementCount: count, storage: .input(0))
    self.init(value, in: HostBuffer(byteCount: value.byteCount), at: 0)
  }

  var numbers: [Double] { (0..<count).map { self[$0].double } }

  var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: pointer, count: count * dtype.byteCount)) }
}

extension DType {
  /// The value rounded or wrapped to this type.
  public func rounded(_ value: Double) -> Double { HostArray([value], self).numbers[0] }
}
