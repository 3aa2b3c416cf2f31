import ApusNN
import ApusReports
import ApusTensor

/// The distribution of the elements of a tensor.
public struct ValueStatistics: Sendable {
  /// The source of the elements: the key of a parameter, or the path and type of a layer.
  public var name: String
  /// The extents of the tensor.
  public var shape: [Int]
  /// `Σ v / n` over the finite elements.
  public var mean: Double
  /// `√(Σ (v − mean)² / n)` over the finite elements.
  public var deviation: Double
  /// The smallest and the largest finite element.
  public var range: ClosedRange<Double>
  /// The fraction of the finite elements that are 0.
  public var zeroShare: Double
  /// The number of elements that are NaN or infinite.
  public var nonFiniteCount: Int
  /// The fraction of dead units. A unit is dead if its output is 0 for every example and position. For example, a
  /// rectifier whose inputs are all negative passes on neither values nor gradients. `nil` if the units are unknown, as
  /// for parameters.
  public var deadShare: Double?
  /// The number of elements in bins of equal width.
  public var histogram: Histogram

  /// The statistics of the given elements.
  /// - Parameters:
  ///   - shape: the extents, whose product is the number of elements.
  ///   - hasUnits: whether the values are a layer's output: `[batch, time, units]` if the rank is 3, otherwise
  ///     `[batch, units, …]`.
  public init(_ name: String, _ values: [Float], shape: [Int], hasUnits: Bool) {
    self.name = name
    self.shape = shape
    // The array is traversed and not copied, because a matrix may have a hundred million elements.
    var (count, zeros, sum) = (0, 0, 0.0)
    var (low, high) = (Float.infinity, -Float.infinity)
    for value in values where value.isFinite {
      count += 1
      if value == 0 { zeros += 1 }
      sum += Double(value)
      (low, high) = (Swift.min(low, value), Swift.max(high, value))
    }
    let divisor = Double(max(count, 1))
    mean = sum / divisor
    range = count > 0 ? Double(low)...Double(high) : 0...0
    zeroShare = Double(zeros) / divisor
    nonFiniteCount = values.count - count
    let middle = mean
    let squares = values.reduce(0.0) { total, value in
      let difference = Double(value) - middle
      return value.isFinite ? total + difference * difference : total
    }
    deviation = (squares / divisor).squareRoot()
    histogram = Histogram(name, x: Axis("value"), range: range, of: values, bins: 40)
    if hasUnits { deadShare = ValueStatistics.deadShare(values, shape) }
  }

  private static func deadShare(_ values: [Float], _ shape: [Int]) -> Double? {
    guard shape.count > 1, shape.reduce(1, *) == values.count, !values.isEmpty else { return nil }
    // The axis of units: for images the channels, for sequences the features of a position.
    let axis = shape.count == 3 ? 2 : 1
    let inner = shape[(axis + 1)...].reduce(1, *)
    var isAlive = [Bool](repeating: false, count: shape[axis])
    for (position, value) in values.enumerated() where value != 0 { isAlive[position / inner % shape[axis]] = true }
    return Double(isAlive.count { !$0 }) / Double(isAlive.count)
  }
}

extension Layer {
  /// The statistics of all parameters, under their keys.
  public func parameterStatistics() throws -> [ValueStatistics] {
    try state.entries.filter { $0.parameter != nil }.map { entry in
      ValueStatistics(
        entry.key, try entry.value.array(of: Float.self), shape: Array(entry.shape), hasUnits: false)
    }
  }

  /// The statistics of the layers' floating-point outputs for the given examples, in execution order.
  /// - Parameter x: `[batch, …]`
  public func outputStatistics(for x: Tensor) throws -> [ValueStatistics] {
    let layers = withMode(.inference) { LayerTrace(of: self, on: x).layers }.compactMap { record in
      let name = record.path.isEmpty ? record.type : "\(record.path) \(record.type)"
      return record.output.dtype.isFloatingPoint ? (name: name, output: record.output) : nil
    }
    try eval(layers.map(\.output))
    return try layers.map { name, output in
      ValueStatistics(name, try output.array(of: Float.self), shape: Array(output.shape), hasUnits: true)
    }
  }
}
