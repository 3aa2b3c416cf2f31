import ApusTensor

/// Looks up a row of the table `W: [count, width]` for each integer in `x: [indices…]`; the result is
/// `[indices…, width]`.
///
/// - Throws (when the value is read): `DeviceError.indexOutOfRange` for an index outside `0 ..< count`, on every
///   device.
public struct Embedding: Layer {
  /// The table, `[count, width]`, with one row per index.
  public let weight: Parameter
  /// The index whose row gets no gradient; `nil` if all rows get gradients.
  public let paddingIndex: Int?

  /// - Parameters:
  ///   - paddingIndex: the index of a row for padding; the row is initialized with zeros and gets no gradient.
  ///   - initializer: initializes the table; by default normal with a standard deviation of 1, as in PyTorch.
  ///   - updatesRows: whether optimizers update only the rows that a step looks up: see `Parameter.updatesRows`. This
  ///     saves work if a batch uses a small fraction of the table.
  /// - Precondition: `paddingIndex` is in `0 ..< count`.
  public init(
    _ count: Int, _ width: Int, paddingIndex: Int? = nil, initializer: Initializer = .normal(deviation: 1),
    updatesRows: Bool = false
  ) {
    var table = initializer([count, width])
    if let paddingIndex {
      Embedding.check(paddingIndex, count)
      table = table.replacing(paddingIndex, with: .zeros([width]))
    }
    weight = Parameter(table, updatesRows: updatesRows)
    self.paddingIndex = paddingIndex
  }

  /// A layer with a given table, for example pretrained vectors. A frozen parameter keeps its values.
  /// - Precondition: `weight` is `[count, width]`, and `paddingIndex` is in `0 ..< count`.
  public init(weight: Parameter, paddingIndex: Int? = nil) {
    guard weight.shape.rank == 2 else { fatalError("Embedding: the weight \(weight.shape) is not [count, width]") }
    if let paddingIndex { Embedding.check(paddingIndex, weight.shape[0]) }
    self.weight = weight
    self.paddingIndex = paddingIndex
  }

  private static func check(_ paddingIndex: Int, _ count: Int) {
    guard (0..<count).contains(paddingIndex) else {
      fatalError("Embedding: the padding index \(paddingIndex) is not one of \(count) rows")
    }
  }

  public func callAsFunction(_ x: Tensor) -> Tensor { LayerTrace.leaf(self, x) { lookedUp(x) } }

  private func lookedUp(_ x: Tensor) -> Tensor {
    guard x.dtype.isInteger else {
      ShapeError("Embedding", "indices \(x.shape) are \(x.dtype), not integers").report()
      return x
    }
    let rows = weight.value.rows(at: x, for: "Embedding")
    guard let paddingIndex else { return rows }
    let isPadding = (x .== paddingIndex).expandingAxis(at: x.rank)
    return isPadding.select(rows.stopGradient(), rows)
  }
}
