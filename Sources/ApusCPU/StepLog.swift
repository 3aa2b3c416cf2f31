import ApusDevice
import Glibc

/// The log of executed steps: lines for `APUS_DEBUG=1`, and records for a profile.
struct StepLog {
  private static let writesLines = HostSystem.environment("APUS_DEBUG").map { $0 != "0" } ?? false
  /// The steps that ran since the profile was started; `nil` without a profile.
  var records: [StepRecord]?

  var isWanted: Bool { records != nil || Self.writesLines }

  mutating func note(_ label: StepLabel, start: Double, duration: Double) {
    records?.append(StepRecord(label: label, start: start, duration: duration))
    guard Self.writesLines else { return }
    // One call writes the whole line, so that lines of several threads do not mix.
    let line = Array("apus: cpu: \(label.line(seconds: duration))\n".utf8)
    line.withUnsafeBytes { _ = Glibc.write(STDERR_FILENO, $0.baseAddress!, $0.count) }
  }
}

/// The operation, shape and cost of a step.
extension StepLabel {
  /// The label of steps that run as one step.
  init(_ steps: [StepLabel]) {
    self.init(
      operation: steps.map(\.operation).joined(separator: ", "), detail: steps.map(\.detail).joined(separator: " + "),
      flops: steps.reduce(0) { $0 + $1.flops }, bytes: steps.reduce(0) { $0 + $1.bytes })
  }

  init(_ planned: Plan.PlannedStep, _ plan: Plan) {
    var bytes = Set(planned.step.values).reduce(0) { $0 + plan.values[$1].byteCount }
    let (detail, flops): (String, Double)
    switch planned.step {
    case .matmul(let step):
      flops = 2 * Double(step.batch.elementCount) * Double(step.m) * Double(step.n) * Double(step.k)
      detail = "matmul \(step.batch.rank == 0 ? "" : "\(step.batch) ")\(step.m)x\(step.n)x\(step.k) \(step.factorDtype)"
    case .convolution(let step):
      let g = step.geometry
      flops = 2 * Double(g.multiplyAdds)
      detail =
        "convolution \(step.pass.rawValue) N\(g.batch) C\(g.inputChannels) \(g.input.extentText) "
        + "K\(g.outputChannels) \(g.kernel.extentText) stride \(g.stride.extentText) \(step.factorDtype)"
    case .elementwise(let step):
      flops = 0
      let shapes = step.segments.map(\.domain.description)
      let count = step.program.instructions.count
      let list = shapes.joined(separator: " ")
      detail = count == 0 ? "copy \(list)" : "elementwise \(list), \(count) instructions"
    case .reduction(let step):
      flops = 0
      detail = "reduction \(step.reducers.joined(separator: " ")) of \(step.domain) over \(step.axes)"
    case .loop(let step):
      flops = 0
      detail = "loop of \(step.count) times \(step.body.steps.count) steps"
    case .pooling(let step):
      flops = 0
      detail = "pooling \(step.kind.rawValue) \(step.pass.rawValue) \(step.planes) of \(step.input.extentText)"
    case .attention(let step):
      let g = step.geometry
      flops = step.flops
      detail =
        "attention \(step.pass.rawValue) \(g.batch)x\(g.heads)/\(g.groups) \(g.queries)x\(g.keys) of "
        + "\(g.size), \(g.width) \(step.dtype)"
    case .recurrent(let step):
      let g = step.geometry
      flops = step.flops
      detail = "recurrent \(g.kind) \(step.pass.rawValue) \(g.times)x\(g.batch) of \(g.size) \(step.dtype)"
    case .gather(let step):
      flops = 0
      bytes = 2 * plan.values[step.result].byteCount + plan.values[step.indices.value].byteCount
      detail = "gather \(step.count) of \(step.extent)"
    case .rowWrite(let step):
      flops = 0
      bytes = 2 * plan.values[step.rows].byteCount + plan.values[step.indices.value].byteCount
      detail = "rowWrite \(step.count) of \(step.extent)"
    default:
      flops = 0
      detail = "\(planned.step)".split(separator: "(").first.map(String.init) ?? ""
    }
    self.init(operation: planned.names.joined(separator: ", "), detail: detail, flops: flops, bytes: Double(bytes))
  }
}
