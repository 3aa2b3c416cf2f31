import Apus

/// The matrix product `C = A · B`, `A: [m, k]`, `B: [k, n]`. Each operand is stored in row-major order or transposed.
public struct Gemm: TypedWorkload {
  /// The storage of the operands: the first letter is for `A`, the second for `B`. `N` is row-major, `T` is transposed.
  public enum Transpose: String, Sendable, CaseIterable {
    case nn = "NN"
    case nt = "NT"
    case tn = "TN"
  }

  public let m: Int
  public let n: Int
  public let k: Int
  public var transposes: [Transpose]
  public var dtype = DType.float32

  public var name: String { "\(m)x\(n)x\(k)" }

  /// - Parameter name: `MxNxK`.
  public init(_ name: String, transposes: [Transpose] = Transpose.allCases) throws(ProblemError) {
    let numbers = name.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 3, let m = numbers[0], let n = numbers[1], let k = numbers[2] else {
      throw ProblemError(description: "\"\(name)\" is not a matrix product MxNxK, such as 512x512x64")
    }
    guard isReasonable([m, n]), isReasonable([m, k]), isReasonable([k, n]) else {
      throw ProblemError(description: "\"\(name)\": each size must be at least 1, and each matrix at most 2⁴⁰ elements")
    }
    (self.m, self.n, self.k, self.transposes) = (m, n, k, transposes)
  }

  /// Square products, products from convolutions and small models, and thin products.
  public static let standardNames = [
    "256x256x256", "512x512x512", "1024x1024x1024", "2048x2048x2048", "64x576x3136", "256x120x400",
    "128x256x784", "25x4096x512", "512x512x64", "64x64x4096", "1x4096x4096", "1000x16x4096",
  ]

  public func run(on device: ComputeDevice, runs: Int, report: (Measurement) throws -> Void) throws {
    for transpose in transposes {
      let shapes: [Shape] = [transpose == .tn ? [k, m] : [m, k], transpose == .nt ? [n, k] : [k, n]]
      let inputs = try randomTensors(shapes, on: device)
      let timing = try Timing.measure(on: device, runs: runs) {
        let a = transpose == .tn ? inputs[0].transposed() : inputs[0]
        let b = transpose == .nt ? inputs[1].transposed() : inputs[1]
        try eval(a.matmul(b))
      }
      var line = measurement("gemm", device: device, timing: timing)
      line.variant = ("transpose", transpose.rawValue)
      line.work = .operations(2 * m * n * k)
      try report(line)
    }
  }
}
