import Apus
import ApusDevice

// Values go to and from devices as bytes, so that a device's own conversions are not part of every test.

extension Tensor {
  /// A tensor of the current device.
  /// - Precondition: `dtype` can hold the values.
  public init(_ grid: Grid, dtype: DType) {
    let value = Plan.Value(dtype: dtype, elementCount: grid.values.count, storage: .input(0))
    let buffer = HostBuffer(byteCount: value.byteCount)
    let array = HostArray(value, in: buffer, at: 0)
    for (index, number) in grid.values.enumerated() {
      array[index] = dtype.isFloatingPoint ? .float(number) : .integer(Int64(number))
    }
    self.init(bytes: UnsafeRawBufferPointer(buffer.bytes)[..<value.byteCount], shape: grid.shape, dtype: dtype)
  }

  private init(bytes: Slice<UnsafeRawBufferPointer>, shape: Shape, dtype: DType) {
    self.init(bytes: UnsafeRawBufferPointer(rebasing: bytes), shape: shape, dtype: dtype)
  }

  /// The elements in row-major order.
  public func values() throws -> [Double] {
    let value = Plan.Value(dtype: dtype, elementCount: elementCount, storage: .input(0))
    let buffer = HostBuffer(byteCount: value.byteCount)
    try withBytes { buffer.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<value.byteCount])) }
    let array = HostArray(value, in: buffer, at: 0)
    return (0..<elementCount).map { array[$0].double }
  }

  /// The elements with the shape.
  public func grid() throws -> Grid { Grid(shape, try values()) }
}
