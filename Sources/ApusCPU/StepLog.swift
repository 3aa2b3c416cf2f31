import ApusDevice
import Glibc

/// The lines of `APUS_DEBUG=1`: what each step of a run did, and in which time.
struct StepLog {
  private let lines: [StepLabel]

  /// - Parameter ranges: the steps of the plan that run as one.
  init(_ plan: Plan, _ ranges: [Range<Int>]) {
    lines = ranges.map { StepLabel(plan.steps[$0].map { StepLabel($0, plan) }) }
  }

  static let isWanted = HostSystem.environment("APUS_DEBUG").map { $0 != "0" } ?? false

  /// Writes what a step did, in one call, so that lines of several threads do not mix.
  func write(step: Int, seconds: Double) {
    let line = Array((lines[step].text(seconds: seconds) + "\n").utf8)
    line.withUnsafeBytes { _ = Glibc.write(STDERR_FILENO, $0.baseAddress!, $0.count) }
  }
}

/// Family, shape and work of a step.
private struct StepLabel {
  private let operation: String
  private let detail: String
  /// Floating-point operations, 0 where memory is what counts.
  private let flops: Double
  /// Bytes read and written at least.
  private let bytes: Int

  /// Steps that run as one.
  init(_ steps: [StepLabel]) {
    operation = steps.map(\.operation).joined(separator: ", ")
    detail = steps.map(\.detail).joined(separator: " + ")
    flops = steps.reduce(0) { $0 + $1.flops }
    bytes = steps.reduce(0) { $0 + $1.bytes }
  }

  init(_ planned: Plan.PlannedStep, _ plan: Plan) {
    operation = planned.names.joined(separator: ", ")
    bytes = Set(planned.step.values).reduce(0) { $0 + plan.values[$1].byteCount }
    switch planned.step {
    case .matmul(let step):
      flops = 2 * Double(step.batch.elementCount) * Double(step.m) * Double(step.n) * Double(step.k)
      detail = "matmul \(step.batch) \(step.m)x\(step.n)x\(step.k) \(step.dtype)"
    case .convolution(let step):
      let g = step.geometry
      flops = 2 * Double(g.multiplyAdds)
      detail =
        "convolution \(step.pass.rawValue) N\(g.batch) C\(g.inputChannels) \(Self.text(g.input)) "
        + "K\(g.outputChannels) \(Self.text(g.kernel)) stride \(Self.text(g.stride)) \(step.dtype)"
    case .elementwise(let step):
      flops = 0
      let shapes = step.segments.map(\.domain.description)
      detail = "elementwise \(shapes.joined(separator: " ")), \(step.program.instructions.count) instructions"
    case .reduction(let step):
      flops = 0
      detail = "reduction \(step.reducers.joined(separator: " ")) of \(step.domain) over \(step.axes)"
    case .loop(let step):
      flops = 0
      detail = "loop of \(step.count) times \(step.body.steps.count) steps"
    case .pooling(let step):
      flops = 0
      detail = "pooling \(step.kind.rawValue) \(step.pass.rawValue) \(step.planes) of \(Self.text(step.input))"
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
    default:
      flops = 0
      detail = "\(planned.step)".split(separator: "(").first.map(String.init) ?? ""
    }
  }

  /// The extents of a rank without those of the ranks above.
  private static func text(_ v: SIMD3<Int>) -> String {
    v.x == 1 ? "\(v.y)x\(v.z)" : "\(v.x)x\(v.y)x\(v.z)"
  }

  func text(seconds: Double) -> String {
    // Operations and bytes in a nanosecond are 10⁹ of them in a second.
    let time = max(1, seconds * 1e9)
    var parts = [detail, "\((time / 1000).text(places: 1)) µs"]
    if flops > 0 { parts.append("\((flops / time).text(places: 1)) GFLOP/s") }
    if bytes > 0 { parts.append("\((Double(bytes) / time).text(places: 1)) GB/s") }
    return "apus: cpu: " + (parts + [operation]).joined(separator: " · ")
  }
}
