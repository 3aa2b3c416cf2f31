import ApusData
import ApusTensor

/// Rows of a table on a device, as features and targets. A batch is gathered on the device: each training step copies
/// only the indices of its rows.
public struct LoadedTable: Sendable {
  /// The features, float32 `[count, width]`.
  public let features: Tensor
  /// The targets: classes, int32 `[count]`, or numbers, float32 `[count, 1]`.
  public let targets: Tensor

  /// The number of rows.
  public var count: Int { features.shape[0] }

  /// Encodes and uploads some rows of a table.
  ///
  /// - Throws: when the rows cannot be encoded, when their features do not fit into the device's memory or into a
  ///   quarter of the host's memory, or when a target is not finite in float32.
  /// - Precondition: `rows` is not empty, and its elements are in `0 ..< data.features.rowCount`.
  public init(
    _ data: TableDataset, rows: [Int32], encoder: TableEncoder, device: ComputeDevice = .current
  ) throws(DataError) {
    guard !rows.isEmpty else { fatalError("LoadedTable: no rows of \(data.name)") }
    try device.checkUpload(
      of: rows.count, "rows", with: encoder.width, "features", path: data.name, format: "CSV",
      remedy: "leave out columns with many categories, or encode categories as codes")
    let values = try encoder.encode(data.features, rows: rows)
    features = Tensor(values, shape: [rows.count, encoder.width], device: device)
    switch data.targets {
    case .classes(let labels, _): targets = Tensor(rows.map { labels[Int($0)] }, device: device)
    case .numbers(let numbers):
      let chosen = rows.map { Float(numbers[Int($0)]) }
      if let position = chosen.firstIndex(where: { !$0.isFinite }) {
        throw .tooLarge(data.target, data.name, .line(data.features.line(of: Int(rows[position]))))
      }
      targets = Tensor(chosen, shape: [rows.count, 1], device: device)
    }
  }

  /// The rows with these indices, in this order.
  /// - Returns: features, float32 `[numbers.count, width]`, and targets: classes, int32 `[numbers.count]`, or numbers,
  ///   float32 `[numbers.count, 1]`.
  /// - Precondition: all indices are in `0 ..< count`.
  public func batch(_ numbers: some Collection<Int32>) -> (features: Tensor, targets: Tensor) {
    let indices = Tensor(Array(numbers), device: features.device)
    return (features[indices], targets[indices])
  }
}
