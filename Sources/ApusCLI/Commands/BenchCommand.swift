import Apus
import ApusRuns
import ApusBenchmarks

enum BenchCommand: Command {
  static let name = "bench"
  static let summary = "measure products, convolutions, operations, training steps and loaders"

  static let kind = Argument(
    .choice("KIND", of: ["gemm", "conv", "ops", "step", "loader", "all"]),
    help: "the kind of benchmark: gemm, conv, ops, step, loader or all")
  static let steps = Argument(
    .list("WORKLOAD"), isRequired: false,
    help: "with step: the workloads, separated by commas (default: all but the large ones)")
  static let problems = Option(
    "problem", .list("P"), repeats: true,
    help: "with gemm: MxNxK; with conv: sizes such as N32C64H32W32K64R3S3P1U1D1G1; with ops: operations; "
      + "with loader: workloads; "
      + "separated by commas (default: a standard set)")
  static let transpose = Option(
    "transpose", .choice("T", of: Gemm.Transpose.allCases.map(\.rawValue)),
    help: "with gemm: which of the two matrices is stored transposed, NN, NT or TN (default: each in turn)")
  static let pass = Option(
    "pass", .choice("PASS", of: Conv.Pass.allCases.map(\.rawValue) + ["all"]),
    help:
      "with conv: forward, input (gradient of the input), weight (gradient of the weights) or all (default: all)")
  static let dtype = Option(
    "dtype", .choice("T", of: dtypes.map(\.description)),
    help: "with gemm, conv and ops: the type of elements, float32, float16 or bfloat16, with gemm also int8 "
      + "(default: float32)")
  static let precision = Option(
    "precision", .choice("P", of: Precision.named.map(\.key)),
    help: "with step: the precision of products in the step (default: float32)")
  static let device = Option("device", .device, help: "\(ComputeDevice.nameList) (default: auto)")
  static let profile = Option(
    "profile", .file,
    help: "with step and one workload: " + ProfileReport.help("three steps after three unrecorded ones"))
  static let runs = Option("runs", .count(upTo: 1_000_000), help: "the number of measured runs (default: 7)")
  static let json = Flag("json", help: "print one JSON object per line")

  static let declarations = [
    kind.declaration, steps.declaration, problems.declaration, transpose.declaration, pass.declaration,
    dtype.declaration, precision.declaration, device.declaration, runs.declaration, profile.declaration,
    json.declaration,
  ]

  static let discussion = """
    Rates are computed from the fastest run. The time of the first step is from the start of the process to the first
    loss. The time of a new batch size is the difference between its first and second step. Each training step is
    measured in its own process.

    \(Help.rows([
      ("workloads", TrainingStep.all.map(\.name).joined(separator: ", ")),
      ("large ones", TrainingStep.large.map(\.name).joined(separator: ", ")),
      ("operations", OpBandwidth.operationNames.joined(separator: ", ")),
      ("loaders", LoaderRate.all.map(\.name).joined(separator: ", ")),
    ], width: Help.width))
    """

  static func run(_ arguments: Arguments) throws {
    let workloads = try workloads(arguments)
    if arguments.contains(profile.declaration), workloads.count != 1 {
      throw OptionError("--profile is for one workload")
    }
    let report = try arguments[profile].map { try ProfileReport(path: $0) }
    let table = arguments[json] ? nil : BenchTable()
    var device: ComputeDevice?
    for workload in workloads {
      if workload is TrainingStep, workloads.count > 1 {
        for line in try ChildProcess.output(of: alone(workload, arguments)) { try write(line, to: table) }
      } else {
        let chosen = try device ?? .chosen(by: arguments[self.device])
        device = chosen
        try workload.run(on: chosen, runs: arguments[runs] ?? 7) { try write($0.json, to: table) }
        if let report, let step = workload as? TrainingStep {
          try report.measureLimits(of: chosen)
          report.write(try step.profile(on: chosen))
          try report.check()
        }
      }
    }
  }

  private static func write(_ line: JSONObject, to table: BenchTable?) throws {
    if let table { try table.write(line) } else { try StandardOutput.write(.object(line)) }
  }

  /// The command line that measures one workload in a separate process.
  private static func alone(_ workload: any Workload, _ arguments: Arguments) -> [String] {
    var words = [name, "step", workload.name, "--json"]
    if let device = arguments[device] { words += ["--device", device] }
    if let precision = arguments[precision] { words += ["--precision", precision] }
    if let runs = arguments[runs] { words += ["--runs", String(runs)] }
    return words
  }
}

// MARK: - Workloads

extension BenchCommand {
  /// The element types with which products are measured. Convolutions and operations are measured with all but `int8`.
  private static let dtypes: [DType] = [.float32, .float16, .bfloat16, .int8]

  private static func workloads(_ arguments: Arguments) throws -> [any Workload] {
    let kind = arguments[kind]!
    let allowed: [String: [Declaration]] = [
      "gemm": [problems.declaration, transpose.declaration, dtype.declaration],
      "conv": [problems.declaration, pass.declaration, dtype.declaration],
      "ops": [problems.declaration, dtype.declaration],
      "step": [steps.declaration, precision.declaration, profile.declaration],
      "loader": [problems.declaration],
    ]
    for declaration in [
      problems.declaration, transpose.declaration, pass.declaration, dtype.declaration, steps.declaration,
      precision.declaration, profile.declaration,
    ]
    where arguments.contains(declaration) {
      guard allowed[kind, default: []].contains(where: { $0.name == declaration.name }) else {
        throw OptionError("\(declaration.label) is not for \(kind)")
      }
    }
    guard kind == "gemm" || arguments[dtype] != DType.int8.description else {
      throw OptionError("--dtype int8 is only for gemm")
    }
    do {
      switch kind {
      case "gemm": return try products(arguments)
      case "conv": return try convolutions(arguments)
      case "ops": return try operations(arguments)
      case "step": return try trainingSteps(arguments)
      case "loader": return try loaders(arguments)
      default:
        return try products(arguments) + convolutions(arguments) + operations(arguments) + trainingSteps(arguments)
          + loaders(arguments)
      }
    } catch let error as ProblemError {
      throw OptionError(error.description)
    }
  }

  private static func products(_ arguments: Arguments) throws -> [any Workload] {
    let transposes = arguments[transpose].flatMap(Gemm.Transpose.init(rawValue:)).map { [$0] }
    return try names(arguments, Gemm.standardNames).map {
      try typed(Gemm($0, transposes: transposes ?? Gemm.Transpose.allCases), arguments)
    }
  }

  private static func convolutions(_ arguments: Arguments) throws -> [any Workload] {
    let passes = arguments[pass].flatMap(Conv.Pass.init(rawValue:)).map { [$0] }
    return try names(arguments, Conv.standardNames).map {
      try typed(Conv($0, passes: passes ?? Conv.Pass.allCases), arguments)
    }
  }

  private static func operations(_ arguments: Arguments) throws -> [any Workload] {
    let given = arguments.all(problems).joined()
    return (given.isEmpty ? OpBandwidth.all : try given.flatMap { try OpBandwidth.find($0) })
      .map { typed($0, arguments) }
  }

  private static func typed<W: TypedWorkload>(_ workload: W, _ arguments: Arguments) -> W {
    var workload = workload
    if let dtype = dtypes.first(where: { $0.description == arguments[self.dtype] }) { workload.dtype = dtype }
    return workload
  }

  private static func trainingSteps(_ arguments: Arguments) throws -> [any Workload] {
    try (arguments[steps] ?? TrainingStep.all.map(\.name)).map {
      var workload = try TrainingStep.find($0)
      workload.precision = arguments[precision].flatMap(Precision.init(named:)) ?? .float32
      return workload
    }
  }

  private static func loaders(_ arguments: Arguments) throws -> [any Workload] {
    try names(arguments, LoaderRate.all.map(\.name)).map { try LoaderRate.find($0) }
  }

  private static func names(_ arguments: Arguments, _ standard: [String]) -> [String] {
    let given = Array(arguments.all(problems).joined())
    return given.isEmpty ? standard : given
  }
}
