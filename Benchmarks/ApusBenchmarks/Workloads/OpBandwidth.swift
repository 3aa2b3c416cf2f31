import Apus

/// The bandwidth of an operation: the bytes of its inputs and its result, divided by its time. Intermediate results are
/// not counted.
public struct OpBandwidth: TypedWorkload {
  public let name: String
  public var dtype = DType.float32
  private let operation: String
  private let size: Int
  private let inputs: @Sendable (_ size: Int) -> [Shape]
  private let body: @Sendable ([Tensor]) -> Tensor

  /// The operations of the benchmark, each with matrices of two sizes: 256x256 (256 KiB of `float32`), which fit into
  /// the cache of a core, and 4096x4096 (64 MiB), which are larger than most caches. The operations include
  /// every row of `Kernels/elementwise.def` that takes longer than a load and a store. Attention comes last, with 256x256
  /// and 2048x2048 scores for each head.
  public static var all: [OpBandwidth] {
    [256, 4096].flatMap { size in operations.map { workload($0, size) } } + [256, 2048].map { workload(attention, $0) }
  }

  public static var operationNames: [String] { (operations + [attention]).map(\.name) }

  private static func workload(_ row: Row, _ size: Int) -> OpBandwidth {
    OpBandwidth(
      name: "\(row.name)-\(size)x\(size)", operation: row.name, size: size, inputs: row.inputs, body: row.body)
  }

  /// The workloads with a given name: `exp-256x256` names one workload, `exp` the workloads of both sizes.
  public static func find(_ name: String) throws(ProblemError) -> [OpBandwidth] {
    let found = all.filter { $0.name == name || $0.operation == name }
    guard found.isEmpty else { return found }
    throw ProblemError(
      description: "unknown operation \"\(name)\"" + suggestion(for: name, in: operationNames))
  }

  public func run(on device: ComputeDevice, runs: Int, report: (Measurement) throws -> Void) throws {
    let tensors = try randomTensors(inputs(size), on: device)
    let timing = try Timing.measure(on: device, runs: runs) { try eval(body(tensors)) }
    var line = measurement("ops", device: device, timing: timing)
    line.work = .bytes((tensors + [body(tensors)]).reduce(0) { $0 + $1.elementCount * $1.dtype.byteCount })
    try report(line)
  }
}

extension OpBandwidth {
  private typealias Row = (
    name: String, inputs: @Sendable (Int) -> [Shape], body: @Sendable ([Tensor]) -> Tensor
  )

  private static func unary(_ name: String, _ body: @escaping @Sendable (Tensor) -> Tensor) -> Row {
    (name, { [[$0, $0]] }, { body($0[0]) })
  }

  private static func binary(
    _ name: String, _ body: @escaping @Sendable (Tensor, Tensor) -> Tensor
  ) -> Row {
    (name, { [[$0, $0], [$0, $0]] }, { body($0[0], $0[1]) })
  }

  /// The forward pass of attention for 4 examples and 16 heads of size 64. The size of the workload is the number of
  /// queries, and also of keys.
  private static let attention: Row = (
    "attention", { Array(repeating: [4, 16, $0, 64], count: 3) }, { scaledDotProductAttention($0[0], $0[1], $0[2]) }
  )

  /// A row of `elementwise.def`. The name of the workload is the row's name in kebab case: `floor-divide`.
  private static func row(_ function: ElementwiseFunction) -> Row {
    (
      function.name.reduce(into: "") { $0 += $1.isUppercase ? "-" + $1.lowercased() : String($1) },
      { Array(repeating: [$0, $0], count: function.operandCount) }, { function($0) }
    )
  }

  private static let operations: [Row] = chosen + ElementwiseFunction.costly.map(row)

  /// Operations of several kinds, and cheap elementwise functions.
  private static let chosen: [Row] = [
    // A copy, written as the concatenation of two halves: the baseline for the other operations.
    unary("copy") {
      let (rows, half) = ($0.shape[0], $0.shape[0] / 2)
      return .concatenated([$0[0..<half], $0[half..<rows]])
    },
    unary("negate") { -$0 },
    unary("relu") { $0.relu() },
    unary("rsqrt") { $0.rsqrt() },
    unary("gelu-tanh") { $0.gelu(isApproximate: true) },
    unary("gelu-tanh-gradient") { x in
      recordingGradients { gradients(of: x.gelu(isApproximate: true).sum(), withRespectTo: [x])[0] }
    },
    // Casts float32 to float16, and both 16-bit types to float32: a cast of float16 to float16 would do nothing.
    unary("to-float16") { $0.cast(to: $0.dtype == .float32 ? .float16 : .float32) },
    binary("add") { $0 + $1 },
    binary("multiply") { $0 * $1 },
    binary("divide") { $0 / $1 },
    binary("less") { $0 .< $1 },
    ("add-row", { [[$0, $0], [$0]] }, { $0[0] + $0[1] }),
    ("add-column", { [[$0, $0], [$0, 1]] }, { $0[0] + $0[1] }),
    ("fused-chain", { Array(repeating: [$0, $0], count: 3) }, { (($0[0] * $0[1] + $0[2]).tanh() * $0[0]).relu() }),
    unary("transpose") { $0.transposed() },
    binary("concatenate") { .concatenated([$0, $1], axis: 1) },
    unary("sum") { $0.sum() },
    unary("sum-rows") { $0.sum(axis: 1) },
    unary("sum-columns") { $0.sum(axis: 0) },
    unary("max-rows") { $0.max(axis: 1) },
    unary("argmax-rows") { $0.argmax(axis: 1) },
    unary("cumulative-sum-rows") { $0.cumulativeSum(axis: 1) },
    unary("cumulative-sum-columns") { $0.cumulativeSum(axis: 0) },
    unary("variance-rows") { $0.variance(axis: 1) },
    unary("log-sum-exp-rows") { $0.logSumExp(axis: 1) },
    unary("softmax-rows") { $0.softmax() },
    unary("layer-norm-rows") { LayerNorm($0.shape[1], isAffine: false)($0) },
    unary("sort-rows") { $0.sorted(axis: 1) },
    unary("scatter-add-rows") { x in
      let order = Tensor.range(from: Double(x.shape[0] - 1), to: -1, step: -1, device: x.device)
      return Tensor.zeros(x.shape, dtype: x.dtype, device: x.device).indexAdding(x, at: order)
    },
    unary("max-pool-2x2") { $0.reshaped(to: [1, 1, $0.shape[0], $0.shape[1]]).maxPooled([2, 2]) },
    unary("gather-rows") {
      $0.gathering(.range(from: Double($0.shape[0] - 1), to: -1, step: -1, device: $0.device), axis: 0)
    },
  ]
}
