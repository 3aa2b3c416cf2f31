import Apus
import ApusDevice

// Values are copied to and from devices as bytes, so that the conversions of a device are not part of every test.

extension Tensor {
  /// A tensor of the current device; each value is rounded or wrapped to `dtype`.
  public init(_ grid: Grid, dtype: DType) {
    let bytes = HostArray(grid.values, dtype).bytes
    self = bytes.withUnsafeBytes { Tensor(bytes: $0, shape: grid.shape, dtype: dtype) }
  }

  /// The elements in row-major order.
  public func values() throws -> [Double] {
    try withBytes { HostArray(bytes: UnsafeRawBufferPointer(rebasing: $0[...]), dtype).numbers }
  }

  /// The elements with their shape.
  public func grid() throws -> Grid { Grid(shape, try values()) }
}
