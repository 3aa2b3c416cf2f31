import Apus
import ApusBenchmarks
import ApusRuns
import ApusSystem
import Synchronization

enum TuneCommand: Command {
  static let name = "tune"
  static let summary = "measure which kernels of a device are the fastest, and store the choices"

  static let workloads = Argument(
    .list("WORKLOAD"), isRequired: false,
    help: "products MxNxK, convolutions N32C16H32W32K32R3S3P1U1D1G1 or steps, as for bench, separated by commas "
      + "(default: all)")
  static let device = Option(
    "device", .device,
    help: "a CUDA or OpenCL device: \(Array(ComputeDevice.nameForms.dropFirst(2)).list("or")) (default: opencl)")
  static let forget = Flag(
    "forget", help: "delete the stored choices of the device: the tables and the cost model choose again")
  static let json = Flag("json", help: "print one JSON object per line, the last being the summary")

  static let declarations = [workloads.declaration, device.declaration, forget.declaration, json.declaration]

  static let discussion = """
    Kernels of products and convolutions can use tiles of several shapes. A table that ships with apus, or else a cost
    model, chooses the shape, unless this command has measured that another shape takes at least 5 % less time for
    similar sizes. Results keep the same bits (on GPUs except for the signs of zeros). A kernel that cannot be built or
    run, or whose results differ from the other kernels' results, is skipped and reported. Measuring all workloads takes
    some minutes. Each choice is stored as soon as it is measured, for the device and its driver, in
    $XDG_CACHE_HOME/apus, else ~/.cache/apus.
    """

  static func run(_ arguments: Arguments) throws {
    let device = try ComputeDevice.named(arguments[self.device] ?? "opencl")
    if arguments[forget] {
      guard !arguments.contains(workloads.declaration) else {
        throw OptionError("--forget deletes all choices and takes no workloads")
      }
      try device.forgetTuning()
      return Diagnostics.write("\(device.name): the measured choices are deleted")
    }
    let list = try arguments[workloads].map { try $0.map(workload) } ?? allWorkloads()
    let report = TuningReport(device: device, isJSON: arguments[json])
    try device.tune(report: report.add) {
      for (number, workload) in list.enumerated() {
        if list.count > 1 {
          Diagnostics.write("\(device.name): workload \(number + 1) of \(list.count), \(workload.name)")
        }
        let before = report.problemCount
        try workload.run(on: device, runs: 1) { _ in }
        try report.check()
        if report.problemCount == before {
          Diagnostics.write(
            "\(workload.name): nothing to choose: there is one kernel, or the sizes were measured above")
        }
      }
    }
    try report.finish()
  }

  private static func allWorkloads() throws -> [any Workload] {
    try Gemm.standardNames.map { try Gemm($0) } + Conv.standardNames.map { try Conv($0) } + TrainingStep.all
  }

  private static func workload(_ name: Substring) throws -> any Workload {
    try workload(String(name))
  }

  /// A product, a convolution or a training step, depending on the form of the name.
  private static func workload(_ name: String) throws -> any Workload {
    do throws(ProblemError) {
      if name.first?.isNumber == true { return try Gemm(name) }
      if name.first == "N" { return try Conv(name) }
      return try TrainingStep.find(name)
    } catch {
      throw OptionError(error.description)
    }
  }
}

/// Prints the measurements, a line for each, as they arrive.
private final class TuningReport: Sendable {
  private struct State {
    var (problems, changed, leftOut) = (0, 0, 0)
    var failure: (any Error)?
  }

  private let device: String
  private let isJSON: Bool
  private let state = Mutex(State())

  init(device: ComputeDevice, isJSON: Bool) { (self.device, self.isJSON) = (device.name, isJSON) }

  @Sendable func add(_ record: TuningRecord) {
    let unfit = record.candidates.filter { $0.seconds == nil }
    let reasons = unfit.map(\.reason)
    if unfit.count == record.candidates.count, Set(reasons).count == 1 {
      Diagnostics.write("\(record.problem): all kernels are left out: \(reasons[0])")
    } else {
      for (candidate, reason) in zip(unfit, reasons) {
        Diagnostics.write("\(record.problem): the kernel \(candidate.name) is left out: \(reason)")
      }
    }
    state.withLock { state in
      state.problems += 1
      state.leftOut += unfit.count
      if let chosen = record.chosen, chosen != record.candidates[0].name { state.changed += 1 }
      do {
        if isJSON { try StandardOutput.write(record.json) } else { try StandardOutput.write(line: record.text) }
      } catch { state.failure = error }
    }
  }

  var problemCount: Int { state.withLock { $0.problems } }

  /// Throws the error that occurred when a line was written, if any.
  func check() throws {
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  func finish() throws {
    try check()
    let state = state.withLock { ($0.problems, $0.changed, $0.leftOut) }
    if isJSON {
      try StandardOutput.write([
        "device": .string(device), "problems": .integer(state.0), "changed": .integer(state.1),
        "left_out": .integer(state.2),
      ])
    } else {
      try StandardOutput.write(
        line: "\(state.0) kernel choices examined on \(device): \(state.1) differ from the default; "
          + "\(state.2) kernels left out")
    }
  }
}

extension TuningRecord.Candidate {
  /// The reason why the candidate was not timed.
  fileprivate var reason: String {
    if case .failed(let text) = outcome { text } else { "its results differ from those of most kernels" }
  }
}

extension TuningRecord {
  /// The operations per second, in units of 10⁹.
  private func rate(_ candidate: Candidate) -> String? {
    candidate.seconds.map { "\((cost.flops / $0 / 1e9).text(places: 0)) GFLOP/s" }
  }

  fileprivate var text: String {
    let first = candidates[0]
    let before = "\(first.name) \(rate(first) ?? "fails")"
    guard let chosen, let best = candidates.first(where: { $0.name == chosen }), chosen != first.name else {
      return "\(cost.label): \(before)"
    }
    return "\(cost.label): \(before) → \(best.name) \(rate(best)!)"
  }

  fileprivate var json: JSON {
    .object([
      "problem": .string(problem), "step": .string(cost.label), "default": .string(candidates[0].name),
      "chosen": chosen.map { .string($0) } ?? .null,
      "candidates": .array(
        candidates.map { candidate in
          switch candidate.outcome {
          case .seconds(let time):
            ["name": .string(candidate.name), "milliseconds": .number((time * 1e10).rounded() / 1e7)]
          case .failed(let reason): ["name": .string(candidate.name), "failure": .string(reason)]
          case .wrong: ["name": .string(candidate.name), "failure": "wrong numbers"]
          }
        }),
    ])
  }
}
