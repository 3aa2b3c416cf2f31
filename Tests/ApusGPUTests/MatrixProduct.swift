import ApusDevice
import ApusTestSupport
import Foundation
import Testing

@testable import ApusGPU

/// A matrix product with row-major or column-major factors, for tests of the kernels for matrix units (tensor cores).
struct MatrixProduct {
  /// The number of products; 0 for a product without a batch axis.
  var batch = 0
  var m, n, k: Int
  var isLeftTransposed, isRightTransposed: Bool
  /// Whether all products of the batch have the same right factor.
  var sharesRight = false
  var dtype: DType
  /// The type to which the factors are rounded, if it is not `dtype`.
  var factorDtype: DType?
  var inputPrecision = InputPrecision.float32
  /// Whether each row (of a column-major factor: each column) begins at a multiple of 16 elements, so that it can be
  /// copied 16 bytes at a time.
  var isAligned: Bool

  private func layout(_ rows: Int, _ columns: Int, _ isTransposed: Bool, isShared: Bool = false) -> Layout {
    let (length, count) = isTransposed ? (rows, columns) : (columns, rows)
    let pitch = isAligned ? (length + 15) / 16 * 16 : length
    let strides = isTransposed ? [1, pitch] : [pitch, 1]
    guard batch > 0 else { return Layout(shape: [rows, columns], strides: Shape(strides)) }
    return Layout(shape: [batch, rows, columns], strides: Shape([isShared ? 0 : pitch * count] + strides))
  }

  /// The plan of `relu(a · b + bias)`, and for each result the expected value and the sum of the magnitudes of its
  /// terms, the bias included.
  func build() -> (plan: PlanBuilder, expected: [(sum: Double, size: Double)]) {
    var numbers = Numbers(seed: 11)
    let (left, right) = (layout(m, k, isLeftTransposed), layout(k, n, isRightTransposed, isShared: sharesRight))
    func array(_ count: Int) -> [Double] {
      guard dtype.isFloatingPoint else { return numbers.integers(count, -9..<10) }
      // For TF32, positive numbers that TF32 does not represent exactly: if a kernel truncates the factors instead of
      // rounding them, all errors have the same sign.
      return numbers.array(count).map { inputPrecision == .float32 ? $0 : Double(Float(abs($0) * 1.000_456_7)) }
    }
    let (a, b) = (array(left.positions.max()! + 1), array(right.positions.max()! + 1))
    let bias = array(n)
    let lane = dtype.lane
    let batchShape: Shape = batch > 0 ? [batch] : []
    var builder = PlanBuilder()
    let (leftValue, rightValue) = (builder.input(a, dtype), builder.input(b, dtype))
    let biasValue = builder.input(bias, lane.dtype)
    let domain = Shape(Array(batchShape) + [m, n])
    let result = builder.output(domain.elementCount, lane.dtype)
    builder.step(
      .matmul(
        Matmul(
          batch: batchShape, m: m, n: n, k: k, a: Operand(value: leftValue, layout: left),
          b: Operand(value: rightValue, layout: right), dtype: dtype, factorDtype: factorDtype,
          inputPrecision: inputPrecision,
          epilogue: epilogue(
            lane, Operand(value: result, layout: Layout(contiguous: domain)), domain: domain,
            bias: Operand(value: biasValue, layout: Layout(contiguous: [n]).broadcast(to: domain))))))
    let (leftStrides, rightStrides) = (Array(left.strides.suffix(2)), Array(right.strides.suffix(2)))
    let expected = Grid.indices(domain).map { index in
      let (row, column) = (index[index.count - 2], index[index.count - 1])
      let first = batch > 0 ? (index[0] * left.strides[0], index[0] * right.strides[0]) : (0, 0)
      var (sum, size) = (bias[column], abs(bias[column]))
      for t in 0..<k {
        let term =
          a[first.0 + row * leftStrides[0] + t * leftStrides[1]]
          * b[first.1 + t * rightStrides[0] + column * rightStrides[1]]
        sum += term
        size += abs(term)
      }
      return (max(0, sum), size)
    }
    return (builder, expected)
  }

  /// The allowed error of a result, divided by the sum of the magnitudes of its terms.
  private var tolerance: Double {
    // The relative errors of the terms, to which the rounding error of the sum is added below.
    let ofTerms: Double =
      switch inputPrecision {
      case .float32: 0
      // In a long sum, the errors of the terms cancel in part.
      case .tf32: k < 64 ? 2.01 * 0x1p-11 : 0x1p-11
      case .tf32x3: 0x1p-20
      }
    return ofTerms + 4 * Double(max(1, k)).squareRoot() * 0x1p-24
  }

  /// Runs the product with the given kernel shape in each of `modes`. Returns a description of the first wrong result,
  /// or of a mode whose results differ from those of the first mode; `nil` if there is none.
  /// - Parameter localSize: the expected number of work-items of a group with this shape.
  @DeviceThread func fault(
    _ shape: any KernelShape, localSize: Int, on device: GPUDevice<CheckedDriver<CUDADriver>>,
    modes: [CUDAStandIn.Mode] = CUDAStandIn.Mode.opposites
  ) throws -> String? {
    let (builder, expected) = build()
    let problem = try #require(device.lower(builder.plan, TuningTable()).decisions.first).problem
    var choices = TuningTable()
    choices[problem] = shape.description
    #expect(try device.lower(builder.plan, choices).launches.first?.localSize == localSize)
    try CUDADump.write(builder.plan, choices, capabilities: [device.driver.target.hasWarpgroups ? 90 : 80])
    let results = try CUDAStandIn.results(in: modes) { _ in
      try builder.run(on: device) { try device.executable(of: $0, choices) }[0]
    }
    for (value, expected) in zip(results[0], expected) {
      guard abs(value - expected.sum) <= tolerance * expected.size else { return "\(value) instead of \(expected.sum)" }
    }
    return zip(modes, results).first { $0.1 != results[0] }.map { "the result differs: \($0.0)" }
  }
}

/// A fault to plant in a kernel: a part of its source, and the text that replaces this part.
struct PlantedFault: Sendable {
  let original, planted: String
  let format: MatrixFormat

  init(_ original: String, _ planted: String, _ format: MatrixFormat = .bfloat16) {
    (self.original, self.planted, self.format) = (original, planted, format)
  }

  /// A device whose kernels have the fault.
  func device(adapt: (inout KernelTarget) -> Void = { _ in }) throws -> GPUDevice<CheckedDriver<CUDADriver>> {
    var options = GPUOptions.environment
    options.cacheDirectory = nil
    let driver = try CheckedDriver(
      CUDAStandIn.driver(), adapt: adapt,
      alter: { text in
        #expect(text.contains(original))
        return text.replacingOccurrences(of: original, with: planted)
      })
    return try GPUDevice(driver: driver, options: options)
  }
}

extension MatrixFormat {
  var inputPrecision: InputPrecision {
    switch self {
    case .float16, .bfloat16, .float32, .int8: .float32
    case .tf32: .tf32
    case .tf32x3: .tf32x3
    }
  }
}
