import Apus
import ApusDevice
import ApusTestSupport
import Testing

/// The element types of results in mixed precision, and the accuracy of the sums in products.
@Suite struct PrecisionTests {
  private let narrow: [DType] = [.float16, .bfloat16]

  /// Products of a `[2, 2]` tensor with itself.
  private static let products: [(name: String, body: @Sendable (Tensor) -> Tensor)] = [
    ("matmul", { $0.matmul($0) }), ("matrix times vector", { $0.matmul($0[0]) }),
    ("einsum", { Tensor.einsum("ij,kj->ik", [$0, $0]) }),
    ("convolution", { $0.reshaped(to: [1, 1, 2, 2]).convolved(with: $0.reshaped(to: [1, 1, 2, 2])) }),
    (
      "transposed convolution",
      { $0.reshaped(to: [1, 1, 2, 2]).transposeConvolved(with: $0.reshaped(to: [1, 1, 2, 2])) }
    ),
  ]

  /// Operations whose results are `float32` in mixed precision.
  private static let wide: [(name: String, body: @Sendable (Tensor) -> Tensor)] = [
    ("exp", { $0.exp() }), ("exp2", { $0.exp2() }), ("expm1", { $0.expm1() }), ("log", { $0.log() }),
    ("log2", { $0.log2() }), ("log10", { $0.log10() }), ("log1p", { $0.log1p() }), ("rsqrt", { $0.rsqrt() }),
    ("reciprocal", { $0.reciprocal() }), ("tan", { $0.tan() }), ("asin", { $0.asin() }), ("acos", { $0.acos() }),
    ("sinh", { $0.sinh() }), ("cosh", { $0.cosh() }), ("atanh", { $0.atanh() }), ("erfinv", { $0.erfinv() }),
    ("power", { $0.power(2) }),
    ("softplus", { $0.softplus() }), ("sum", { $0.sum() }), ("product", { $0.product(axis: 0) }),
    ("mean", { $0.mean(axis: 1) }),
    ("variance", { $0.variance() }), ("deviation", { $0.standardDeviation() }), ("norm", { $0.norm() }),
    ("logSumExp", { $0.logSumExp() }), ("softmax", { $0.softmax() }), ("logSoftmax", { $0.logSoftmax() }),
    ("cumulativeSum", { $0.cumulativeSum(axis: 0) }), ("cumulativeProduct", { $0.cumulativeProduct(axis: 0) }),
  ]

  /// Operations whose results have the type of their input in mixed precision.
  private static let following: [(name: String, body: @Sendable (Tensor) -> Tensor)] = [
    ("add", { $0 + $0 }), ("multiply", { $0 * 2 }), ("relu", { $0.relu() }), ("tanh", { $0.tanh() }),
    ("sigmoid", { $0.sigmoid() }), ("gelu", { $0.gelu() }), ("sqrt", { $0.sqrt() }), ("max", { $0.max() }),
    ("select", { ($0 .> 0.5).select($0, $0 * 2) }), ("reshaped", { $0.reshaped(to: [4]) }),
    ("maxPooled", { $0.reshaped(to: [1, 1, 2, 2]).maxPooled([2, 2]) }),
  ]

  /// A product, and its first and second gradients, have the input precision of the scope in which the product was
  /// built, whatever the scope in which the gradients are computed.
  @Test(arguments: [Precision.float32, .tf32, .tf32x3])
  func productsKeepTheirInputPrecision(precision: Precision) throws {
    for (name, body) in Self.products {
      let device = RecordingDevice()
      try withDevice(ComputeDevice(backend: device)) { () throws in
        let x = Tensor([0.5, 0.25, 0.75, 0.125] as [Float], shape: [2, 2])
        let loss = withPrecision(precision) { body(x).sin().sum() }
        let first = gradients(of: loss, withRespectTo: [x])[0]
        let second = withPrecision(.mixed) { gradients(of: first.sin().sum(), withRespectTo: [x])[0] }
        try eval([loss, first, second])
      }
      let found = device.plans.flatMap(\.steps).compactMap { planned -> InputPrecision? in
        switch planned.step {
        case .matmul(let step): step.inputPrecision
        case .convolution(let step): step.inputPrecision
        default: nil
        }
      }
      #expect(found.count >= 3 && found.allSatisfy { $0 == precision.inputPrecision }, "\(name): \(found)")
    }
  }

  @Test func operationsChooseResultTypes() throws {
    try withDevice(TestDevice.reference.device) { () throws -> Void in
      let x = Tensor([0.5, 0.25, 0.75, 0.125] as [Float], shape: [2, 2])
      for type in narrow {
        withPrecision(.mixed(type)) {
          for (name, body) in Self.products {
            for input in [x, x.cast(to: .float16), x.cast(to: .bfloat16)] {
              #expect(body(input).dtype == type, "\(name) of \(input.dtype)")
            }
            #expect(body(x.cast(to: .float64)).dtype == .float64, "\(name)")
          }
          for (name, body) in Self.wide {
            for input in [x, x.cast(to: .float16), x.cast(to: .bfloat16)] {
              #expect(body(input).dtype == .float32, "\(name) of \(input.dtype)")
            }
          }
          for (name, body) in Self.following {
            for input in [x, x.cast(to: type)] { #expect(body(input).dtype == input.dtype, "\(name)") }
          }
          // Of two types, the result has the wider one.
          #expect((x + x.cast(to: type)).dtype == .float32)
          #expect(withPrecision(.float32) { x.matmul(x) }.dtype == .float32, "scopes nest")
        }
      }
      for (name, body) in Self.products + Self.wide + Self.following {
        #expect(body(x).dtype == .float32 && body(x.cast(to: .float16)).dtype == .float16, "\(name) outside")
      }
    }
  }

  /// The sums have 4,096 terms or more. A sequential sum of ones in `float16` would stop at 2,048.
  @Test(arguments: TestDevice.all) func sumsInsideProductsAreFloat32(target: TestDevice) throws {
    try withDevice(target.device) { () throws in
      let count = 4096
      let x = try eval(Tensor.ones([3, count]))
      try withPrecision(.mixed) { () throws in
        let product = x.matmul(x.transposed())
        #expect(try product.array() == Array(repeating: 4096, count: 9))
        let (image, weight) = (x.reshaped(to: [1, 3 * 256, 4, 4]), x.reshaped(to: [1, 3 * 256, 4, 4]))
        #expect(try image.convolved(with: weight).array() == [12288])
        // The gradient of the weight sums over positions, the gradient of the input over channels.
        let plane = x.reshaped(to: [3, 1, 64, 64])
        let ones = Tensor.ones([1, 1, 1, 1])
        let loss = plane.convolved(with: ones)
        #expect(try gradients(of: loss, withRespectTo: [ones])[0].array() == [12288])
        let spread = Tensor.ones([1, 1, 2, 2])
        let channels = Tensor.ones([4096, 1, 1, 1])
        let input = gradients(of: spread.convolved(with: channels), withRespectTo: [spread])[0]
        #expect(try input.array() == [4096, 4096, 4096, 4096])
      }
    }
  }

  @Test func gradientsHaveTheTypeOfTheirTensor() throws {
    try withDevice(TestDevice.reference.device) { () throws -> Void in
      let x = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
      let w = Tensor([0.5, -1, 0.25, 2] as [Float], shape: [2, 2])
      let (loss, found) = withPrecision(.mixed) {
        let y = x.matmul(w)
        #expect(y.dtype == .float16)
        let loss = y.squared().sum()
        return (loss, gradients(of: loss, withRespectTo: [x, w]))
      }
      #expect(loss.dtype == .float32 && found.allSatisfy { $0.dtype == .float32 })
      let expected = gradients(of: x.matmul(w).squared().sum(), withRespectTo: [x, w])
      // Small integers and their halves and quarters are exact in `float16`.
      for (one, other) in zip(found, expected) { #expect(try one.array() == other.array()) }
      // A graph that was built in mixed precision keeps its types if it is differentiated outside of the scope.
      let y = withPrecision(.mixed) { x.matmul(w) }
      #expect(try gradients(of: y, withRespectTo: [w])[0].array() == [4, 4, 6, 6])
    }
  }

  /// Each weight is cast once, however often it is used.
  @Test func castsAreShared() throws {
    let device = ComputeDevice(backend: ReferenceDevice())
    try withDevice(device) { () throws in
      let w = try eval(Tensor.ones([4, 4]))
      let x = try eval(Tensor.ones([4, 4]).cast(to: .float16))
      _ = try withPrecision(.mixed) { try eval(x.matmul(w)) }
      let single = device.lastPlanStepCount
      _ = try withPrecision(.mixed) { try eval(x.matmul(w).matmul(w).matmul(w)) }
      #expect(device.lastPlanStepCount == single + 2)
    }
  }
}
