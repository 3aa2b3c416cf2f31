import ApusNN
import ApusTensor

/// The layers of a model with their output shapes, parameters, operations and memory.
public struct ModelSummary: Sendable {
  /// A layer.
  public struct Row: Hashable, Sendable {
    /// The name of the layer in the model, such as `layer1.0.conv1`. The keys of the layer's parameters start with it.
    public var path: String
    /// The name of the layer's type.
    public var type: String
    /// The output shape, without the batch.
    public var output: [Int]
    /// The number of values in the parameters.
    public var parameterCount: Int
    /// The number of multiply-accumulate operations for one example.
    public var multiplyAccumulates: Int
  }

  /// The shape and element type of an example.
  public struct Input: Hashable, Sendable {
    /// The extents, without the batch.
    public var extents: [Int]
    public var dtype: DType

    public init(_ extents: [Int], dtype: DType) {
      self.extents = extents
      self.dtype = dtype
    }

    /// An input of float32 values.
    public init(_ extents: [Int]) { self.init(extents, dtype: .float32) }
  }

  /// The layers, in the order in which they run.
  public var rows: [Row]
  /// The input shape of one example.
  public var input: [Int]
  /// The output shape of one example.
  public var output: [Int]
  /// The number of trainable values; shared parameters count once.
  public var trainableCount: Int
  /// The number of values in frozen parameters.
  public var frozenCount: Int
  /// The number of values in running statistics.
  public var statisticCount: Int
  /// The number of multiply-accumulate operations for one example.
  public var multiplyAccumulates: Int
  /// The size in bytes of the outputs of all layers for one example. `Flatten`, `Unflatten` and `Identity` are not
  /// counted, since they store no new values.
  public var activationByteCount: Int

  /// Runs a model on a placeholder; nothing is evaluated.
  ///
  /// - Parameter input: the extents of one example.
  /// - Throws: `ShapeError` if the layers do not fit each other or the input.
  public init(of model: any Layer, input: [Int]) throws { try self.init(of: model, input: Input(input)) }

  /// Runs a model on a placeholder; nothing is evaluated.
  /// - Throws: `ShapeError` if the layers do not fit each other or the input.
  public init(of model: any Layer, input: Input) throws {
    let x = Tensor.zeros(Shape([1] + input.extents), dtype: input.dtype)
    let trace = try checkingShapes { withMode(.inference) { LayerTrace(of: model, on: x) } }
    let output = trace.output
    rows = []
    activationByteCount = 0
    for record in trace.layers {
      rows.append(Row(record))
      if !(record.layer is Flatten || record.layer is Unflatten || record.layer is Identity) {
        activationByteCount += record.output.byteCount
      }
    }
    self.input = input.extents
    self.output = Array(output.shape.dropFirst())
    let state = model.state
    func count(_ isIncluded: (ModelState.Entry) -> Bool) -> Int {
      state.entries.filter(isIncluded).reduce(0) { $0 + $1.shape.elementCount }
    }
    trainableCount = count { $0.parameter?.isTrainable == true }
    frozenCount = count { $0.parameter?.isTrainable == false }
    statisticCount = count { $0.parameter == nil }
    multiplyAccumulates = output.multiplyAccumulates(since: x)
  }
}

extension ModelSummary.Row {
  fileprivate init(_ record: LayerTrace.Record) {
    path = record.path
    type = record.type
    output = Array(record.output.shape.dropFirst())
    parameterCount = record.layer.parameters.reduce(0) { $0 + $1.shape.elementCount }
    multiplyAccumulates = record.output.multiplyAccumulates(since: record.input)
  }
}

extension ModelSummary: CustomStringConvertible {
  /// A table with a line for each layer, then the totals.
  public var description: String {
    var lines = [["layer", "type", "output", "parameters", "MACs"]]
    for row in rows {
      lines.append([
        row.path, row.type, "\(row.output)", row.parameterCount.grouped, row.multiplyAccumulates.grouped,
      ])
    }
    let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    let table = lines.map { cells in
      cells.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return column < 3 ? cell + space : space + cell
      }.joined(separator: "  ")
    }
    let frozen = frozenCount > 0 ? ", \(frozenCount.grouped) frozen" : ""
    let statistics = statisticCount > 0 ? ", \(statisticCount.grouped) in statistics" : ""
    return
      (table + [
        "input \(input), output \(output)",
        "\(trainableCount.grouped) parameters\(frozen)\(statistics)",
        "\(multiplyAccumulates.grouped) multiply-accumulates and \(activationByteCount.grouped) bytes of "
          + "activations for one example",
      ]).joined(separator: "\n")
  }
}
