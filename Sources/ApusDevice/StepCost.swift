/// The arithmetic of a step or kernel and the bytes that it reads and writes, for logs, errors, profiles and tuning.
/// The cost of a step is the same for all devices.
public struct StepCost: Hashable, Sendable {
  /// The names of the operations that the step computes.
  public var operation: String
  /// The family, pass, shapes and element type, such as `matmul 64x10x128 NT float32`.
  public var label: String
  /// The number of floating-point operations (two per multiply-add) of matrix products, convolutions, attention,
  /// recurrent layers, and loops of such steps; 0 for all other steps.
  public var flops: Double
  /// The bytes of the elements that are read; an element may count once for each operand that contains it.
  public var bytesRead: Double
  /// The bytes of the elements that are written.
  public var bytesWritten: Double

  /// Creates a cost from its fields.
  public init(operation: String, label: String, flops: Double = 0, bytesRead: Double = 0, bytesWritten: Double = 0) {
    self.operation = operation
    self.label = label
    self.flops = flops
    self.bytesRead = bytesRead
    self.bytesWritten = bytesWritten
  }

  /// The cost of steps that run as one step.
  package init(joining steps: [StepCost]) {
    self.init(
      operation: steps.map(\.operation).joined(separator: ", "), label: steps.map(\.label).joined(separator: " + "),
      flops: steps.reduce(0) { $0 + $1.flops }, bytesRead: steps.reduce(0) { $0 + $1.bytesRead },
      bytesWritten: steps.reduce(0) { $0 + $1.bytesWritten })
  }

  /// The bytes that are read or written.
  public var bytes: Double { bytesRead + bytesWritten }

  /// A line of `APUS_DEBUG=1`: the label, the time, the rates and the operations.
  package func line(seconds: Double) -> String {
    // One operation per nanosecond is 10⁹ operations per second, and likewise for bytes.
    let time = max(1, seconds * 1e9)
    var parts = [label, "\((time / 1000).text(places: 1)) µs"]
    if flops > 0 { parts.append("\((flops / time).text(places: 1)) GFLOP/s") }
    if bytes > 0 { parts.append("\((bytes / time).text(places: 1)) GB/s") }
    return (parts + [operation]).joined(separator: " · ")
  }
}

extension Plan {
  /// The cost of a step of this plan.
  public func cost(of planned: PlannedStep) -> StepCost {
    let traffic = Traffic(planned.step, values)
    return StepCost(
      operation: planned.names.joined(separator: ", "), label: planned.step.label, flops: planned.step.flops,
      bytesRead: traffic.read, bytesWritten: traffic.written)
  }
}

extension Step {
  /// The number of floating-point operations, two for a multiply-add; 0 for families of steps whose operations are not
  /// counted.
  fileprivate var flops: Double {
    switch self {
    case .matmul(let step): 2 * Double(step.multiplyAdds)
    case .convolution(let step): 2 * Double(step.geometry.multiplyAdds)
    case .attention(let step): step.flops
    case .recurrent(let step): step.flops
    case .loop(let step): Double(step.count) * step.body.steps.reduce(0) { $0 + $1.step.flops }
    case .elementwise, .reduction, .scan, .pooling, .copy, .gather, .scatterAdd, .rowWrite, .sort, .custom: 0
    }
  }

  /// The family, pass, shapes and element type.
  fileprivate var label: String {
    switch self {
    case .elementwise(let step): step.label
    case .reduction(let step):
      "reduction \(step.reducers.map(\.name).joined(separator: " ")) of \(step.domain) over \(step.axes)"
    case .scan(let step): "scan \(step.combine) \(step.outer)x\(step.extent)x\(step.inner) \(step.dtype)"
    case .matmul(let step): step.label
    case .convolution(let step): step.label
    case .pooling(let step):
      "pooling \(step.kind) \(step.pass) \(step.planes) of \(step.input.extentText) by \(step.window.extentText) "
        + "\(step.dtype)"
    case .attention(let step): step.label
    case .recurrent(let step):
      "recurrent \(step.geometry.kind) \(step.pass) \(step.geometry.times)x\(step.geometry.batch) of "
        + "\(step.geometry.size) \(step.dtype)"
    case .copy(let step):
      "copy \(step.pieces.map(\.source.layout.shape.description).abridged) \(step.dtype)"
    case .gather(let step):
      "gather \(step.outer * step.count) of \(step.outer * step.extent), \(step.inner) each, \(step.dtype)"
    case .scatterAdd(let step):
      "scatter-add \(step.outer * step.count) to \(step.outer * step.extent), \(step.inner) each, \(step.dtype)"
    case .rowWrite(let step): "row write \(step.count) of \(step.extent), \(step.inner) each, \(step.dtype)"
    case .sort(let step): "sort \(step.rows)x\(step.columns) \(step.dtype)"
    case .loop(let step): "loop of \(step.count) iterations, \(step.body.steps.count) steps each"
    case .custom(let step): "\(step.kernel.name) \(step.count)"
    }
  }
}

extension Elementwise {
  fileprivate var label: String {
    let domains = segments.map(\.domain.description).abridged
    return program.instructions.isEmpty
      ? "copy \(domains)" : "elementwise \(domains), \(program.instructions.count) instructions"
  }
}

/// The name of the type in which a device may multiply the factors of a product.
private func factors(_ dtype: DType, _ precision: InputPrecision) -> String {
  dtype == .float32 && precision != .float32 ? "\(precision)" : "\(dtype)"
}

extension Matmul {
  fileprivate var label: String {
    // N if the rows are contiguous, T if the matrix is stored transposed.
    func order(_ operand: Operand) -> String { operand.layout.strides[batch.rank + 1] == 1 ? "N" : "T" }
    let count = batch.elementCount
    return
      "matmul \(count == 1 ? "" : "\(count)×")\(m)x\(n)x\(k) \(order(a))\(order(b)) \(factors(factorDtype, inputPrecision))"
  }
}

extension Convolution {
  fileprivate var label: String {
    let g = geometry
    let groups = g.groups == 1 ? "" : "groups \(g.groups) "
    return "convolution \(pass) N\(g.batch) C\(g.inputChannels) \(g.input.extentText) K\(g.outputChannels) "
      + "\(g.kernel.extentText) stride \(g.stride.extentText) \(groups)\(factors(factorDtype, inputPrecision))"
  }
}

extension Attention {
  fileprivate var label: String {
    let g = geometry
    return "attention \(pass) \(g.batch)x\(g.heads)/\(g.groups) \(g.queries)x\(g.keys) of \(g.size), \(g.width) "
      + "\(factorDtype)"
  }
}

extension [String] {
  /// The list as text; if it has more than four elements, the first three and the number of the others.
  fileprivate var abridged: String {
    count <= 4 ? joined(separator: " ") : prefix(3).joined(separator: " ") + " and \(count - 3) more"
  }
}

/// The bytes of the elements that a step reads and writes.
private struct Traffic {
  private(set) var read = 0.0
  private(set) var written = 0.0
  private let values: [Plan.Value]

  init(_ step: Step, _ values: [Plan.Value]) {
    self.values = values
    switch step {
    case .elementwise(let step): for segment in step.segments { add(segment) }
    case .reduction(let step):
      for argument in step.arguments { read(argument) }
      add(step.epilogue.binding)
    case .matmul(let step):
      read(step.a)
      read(step.b)
      add(step.epilogue.binding)
    case .copy(let step):
      for piece in step.pieces { read(piece.source) }
      written += Double(values[step.result].byteCount)
    case .gather(let step): addRows(step.outer * step.count * step.inner, step.dtype, step.indices)
    case .rowWrite(let step): addRows(step.count * step.inner, step.dtype, step.indices)
    case .scatterAdd(let step):
      addRows(step.outer * step.count * step.inner, step.dtype, step.indices)
      written += Double(step.outer * (step.extent - step.count) * step.inner * step.dtype.byteCount)
    case .loop(let step):
      for planned in step.body.steps {
        let inner = Traffic(planned.step, step.body.values)
        read += Double(step.count) * inner.read
        written += Double(step.count) * inner.written
      }
    case .scan, .convolution, .pooling, .attention, .recurrent, .sort, .custom:
      let results = Set(step.results)
      for value in results { written += Double(values[value].byteCount) }
      for value in Set(step.values).subtracting(results) { read += Double(values[value].byteCount) }
    }
  }

  private mutating func add(_ binding: Binding) {
    for argument in binding.arguments { read(argument) }
    for result in binding.results { written += bytes(result) }
  }

  /// Adds the bytes of rows with `count` elements in total, once as read and once as written, and the bytes of the
  /// indices that select the rows.
  private mutating func addRows(_ count: Int, _ dtype: DType, _ indices: Operand) {
    let rows = Double(count * dtype.byteCount)
    read += rows
    written += rows
    read(indices)
  }

  private mutating func read(_ argument: Argument) {
    if case .tensor(let operand) = argument { read(operand) }
  }

  private mutating func read(_ operand: Operand) { read += bytes(operand) }

  /// The bytes of the elements of an operand, at most the bytes of its value. An element that is repeated by a stride
  /// of 0 counts once.
  private func bytes(_ operand: Operand) -> Double {
    let (layout, value) = (operand.layout, values[operand.value])
    let count = (0..<layout.shape.rank).reduce(1) { layout.strides[$1] == 0 ? $0 : $0 * layout.shape[$1] }
    return Double(min(count, value.elementCount) * value.dtype.byteCount)
  }
}
