import ApusTensor
import Glibc

/// Adds sinusoidal position encodings (Vaswani et al., 2017): `y = x + P`,
/// ```text
/// P[m, 2i] = sin(m / 10000^(2i / size)),   P[m, 2i + 1] = cos(m / 10000^(2i / size))
/// ```
/// `m` is the position. `x` is `[length, batch, size]`, or `[batch, length, size]` with `isBatchFirst`; `y` has the
/// shape of `x`. The length is at most the capacity.
public struct SinusoidalPositions: Layer {
  private let table: PositionTable

  /// - Parameters:
  ///   - size: the number of features of an element.
  ///   - capacity: the maximum number of positions.
  ///   - isBatchFirst: whether inputs are `[batch, length, size]`, not `[length, batch, size]`.
  public init(_ size: Int, capacity: Int, isBatchFirst: Bool = false) {
    guard size > 0, capacity > 0 else {
      fatalError("SinusoidalPositions: size \(size) and capacity \(capacity) must be positive")
    }
    let waves = (0..<capacity).flatMap { position in
      (0..<size).map { index in
        let angle = Double(position) / pow(10000, Double(index / 2 * 2) / Double(size))
        return Float(index % 2 == 0 ? sin(angle) : cos(angle))
      }
    }
    let rows = Tensor(waves, shape: [capacity, size])
    table = PositionTable(name: "SinusoidalPositions", isBatchFirst: isBatchFirst) { rows }
  }

  public var members: [ModuleMember] { [] }

  public func callAsFunction(_ x: Tensor) -> Tensor { table.added(to: x, nil) }

  /// Adds the encodings of the positions from `offset` on. The result has the shape of `x`.
  /// - Parameter offset: the position of the first element, a scalar integer (`KeyValueCache.end`).
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange` for positions beyond the capacity.
  public func callAsFunction(_ x: Tensor, offset: Tensor) -> Tensor { table.added(to: x, offset) }
}

/// Adds to each element of a sequence the learned vector of its position, a row of `W: [capacity, size]`. `x` is
/// `[length, batch, size]`, or `[batch, length, size]` with `isBatchFirst`; the result has the shape of `x`. The length
/// is at most the capacity.
public struct LearnedPositions: Layer {
  /// The vectors of the positions, `[capacity, size]`.
  public let weight: Parameter
  private let table: PositionTable

  /// - Parameters:
  ///   - size: the number of features of an element.
  ///   - capacity: the maximum number of positions.
  ///   - isBatchFirst: whether inputs are `[batch, length, size]`, not `[length, batch, size]`.
  ///   - initializer: initializes the weight; by default normal with a deviation of 1, as in PyTorch's `Embedding`.
  public init(
    _ size: Int, capacity: Int, isBatchFirst: Bool = false, initializer: Initializer = .normal(deviation: 1)
  ) {
    guard size > 0, capacity > 0 else {
      fatalError("LearnedPositions: size \(size) and capacity \(capacity) must be positive")
    }
    let weight = Parameter(initializer([capacity, size]))
    self.weight = weight
    table = PositionTable(name: "LearnedPositions", isBatchFirst: isBatchFirst) { weight.value }
  }

  public var members: [ModuleMember] { [.parameter("weight", weight)] }

  public func callAsFunction(_ x: Tensor) -> Tensor { LayerTrace.leaf(self, x) { table.added(to: x, nil) } }

  /// Adds the vectors of the positions from `offset` on. The result has the shape of `x`.
  /// - Parameter offset: the position of the first element, a scalar integer (`KeyValueCache.end`).
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange` for positions beyond the capacity.
  public func callAsFunction(_ x: Tensor, offset: Tensor) -> Tensor {
    LayerTrace.leaf(self, x) { table.added(to: x, offset) }
  }
}

/// A table with a vector for each position.
private struct PositionTable: Sendable {
  let name: String
  let isBatchFirst: Bool
  /// Returns the vectors of all positions, `[capacity, size]`.
  let rows: @Sendable () -> Tensor

  func added(to x: Tensor, _ offset: Tensor?) -> Tensor {
    let rows = rows()
    let axis = isBatchFirst ? 1 : 0
    guard x.rank == 3, x.shape[2] == rows.shape[1], x.shape[axis] <= rows.shape[0] else {
      let axes = isBatchFirst ? "batch, length" : "length, batch"
      let layout = "[\(axes), \(rows.shape[1])] with a length of at most \(rows.shape[0])"
      ShapeError(name, "\(x.shape) is not \(layout)").report()
      return x
    }
    let positions = rows.positions(x.shape[axis], offset).cast(to: x.dtype)
    return x + (isBatchFirst ? positions : positions.expandingAxis(at: 1))
  }
}
