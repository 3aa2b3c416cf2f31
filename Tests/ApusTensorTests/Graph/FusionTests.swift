import Apus
import ApusDevice
import ApusTestSupport
import Testing

/// The steps (operations, fused or alone) of the plan that the planner makes from a graph. The plan goes to a device
/// that computes nothing. For concatenated attention heads, the values on all devices are tested too.
@Suite struct FusionTests {
  /// The steps of the plan that computes the tensors of `make`.
  private func steps(_ make: () -> [Tensor]) throws -> [Step] {
    let device = RecordingDevice()
    return try withDevice(ComputeDevice(backend: device)) { () throws in
      try eval(make())
      return device.lastSteps
    }
  }

  private func input(_ shape: Shape, _ dtype: DType = .float32) -> Tensor {
    Tensor(Grid(shape) { _ in 1 }, dtype: dtype)
  }

  /// The device computes 16-bit products in `float32`. The update of a weight is fused, as an epilogue, with the
  /// product that computes the weight's gradient, despite the casts between product and update. A reduction reads the
  /// rounded product without a copy.
  @Test func roundedProductsHaveEpilogues() throws {
    let device = RecordingDevice(prefersFloat32Products: true)
    try withDevice(ComputeDevice(backend: device)) { () throws in
      let (x, w, c) = try (eval(input([8, 4])), eval(input([6, 4])), eval(input([8, 6])))
      let y = withPrecision(.mixed(.bfloat16)) { x.matmul(w.transposed()) }
      let gradient = gradients(of: (y * c).sum(), withRespectTo: [w])[0]
      try eval(w - gradient * 0.1)
      guard case .matmul(let product) = device.lastSteps.last else {
        return #expect(Bool(false), "\(device.lastSteps)")
      }
      #expect(product.m == 6 && product.n == 4 && product.factorDtype == .bfloat16)
      try eval(
        withPrecision(.mixed(.bfloat16)) { x.matmul(w.transposed()).max(axis: 0).matmul(w) }.cast(to: .float32)
      )
      let plan = try #require(device.runs.last).plan
      #expect(plan.values.allSatisfy { $0.dtype == .float32 }, "\(plan.values.map(\.dtype))")
    }
  }

  /// Maximum pooling selects values that are already rounded, so neither its results nor its gradients are rounded
  /// again. Where windows overlap, gradients are added and rounded.
  @Test(arguments: [(2, 0), (1, 1)] as [(Int, Int)])
  func selectedValuesAreNotRoundedAgain(stride: Int, roundings: Int) throws {
    let device = RecordingDevice(prefersFloat32Products: true)
    try withDevice(ComputeDevice(backend: device)) { () throws in
      let (x, w, v) = try (eval(input([2, 1, 8, 8])), eval(input([4, 1, 3, 3])), eval(input([2, 4, 2, 2])))
      let y = withPrecision(.mixed(.bfloat16)) {
        x.convolved(with: w).relu().maxPooled([2, 2], stride: [stride]).convolved(with: v)
      }
      try eval(gradients(of: y.sum(), withRespectTo: [w]) + [y])
      var counts: [Pooling.Pass: Int] = [:]
      for case .pooling(let pooling) in device.lastSteps {
        counts[pooling.pass] = pooling.epilogue.program.instructions.count { $0.function == .row(.roundBFloat16) }
      }
      #expect(counts == [.forward: 0, .backward: roundings])
    }
  }

  @Test func anElementwiseChainIsOneStep() throws {
    let steps = try steps {
      let x = input([8, 6])
      return [((x * 2 + input([6])).tanh() / (x.abs() + 1)).sqrt()]
    }
    #expect(steps.count == 1)
    guard case .elementwise(let step) = steps.first else { return #expect(Bool(false), "\(steps)") }
    #expect(step.segments.count == 1 && step.segments[0].results.count == 1)
  }

  /// 16-bit inputs are converted as they are loaded: no `float32` copy is stored, even if several steps read an input.
  @Test func inputsAreWidenedAsTheyAreRead() throws {
    let single = try steps { [input([8, 6]).softmax()] }
    for dtype in [DType.float16, .bfloat16] {
      #expect(try steps { [input([8, 6], dtype).softmax()] }.count == single.count)
      let readers = try steps {
        let wide = input([8, 6], dtype).cast(to: .float32)
        return [wide.sum(axis: 0), wide.max(axis: 1)]
      }
      #expect(readers.count == 2)
    }
  }

  /// Concatenates the heads of tensors `[batch, heads, rows, width]`. For two tensors, the result is
  /// `[batch, rows, 2 · heads · width]`.
  private func joined(_ heads: [Tensor]) -> Tensor {
    let (batch, rows, width) = (heads[0].shape[0], heads[0].shape[2], heads[0].shape[1] * heads[0].shape[3])
    let parts = heads.map { $0.transposed([0, 2, 1, 3]).reshaped(to: [batch, rows, width]) }
    return .concatenated(parts, axis: 2)
  }

  @Test func joinedHeadsAreNotCopiedFirst() throws {
    let steps = try steps { [joined([input([2, 4, 3, 8]), input([2, 4, 3, 8])])] }
    #expect(steps.count == 1)
    guard case .copy(let step) = steps.first else { return #expect(Bool(false), "\(steps)") }
    #expect(step.pieces.map(\.destination.shape) == [[2, 3, 4, 8], [2, 3, 4, 8]])
    // A transposed input is read in place even if no reshape follows the transpose.
    let plain = try self.steps { [.concatenated([input([2, 3]).transposed(), input([3, 1])], axis: 1)] }
    #expect(plain.count == 1)
  }

  /// Concatenated attention heads have the right values on all devices, for copied rows of several lengths.
  @Test(arguments: TestDevice.all, [1, 8, 16, 40]) func joinedHeads(test: TestDevice, width: Int) throws {
    let shape: Shape = [2, 4, 3, width]
    let found: [Float] = try withDevice(test.device) { () throws in
      let heads = (0..<2).map { part in
        Tensor((0..<shape.elementCount).map { Float($0 * 2 + part) }, shape: shape)
      }
      return try joined(heads).array()
    }
    var expected: [Float] = []
    for batch in 0..<2 {
      for row in 0..<3 {
        for part in 0..<2 {
          for head in 0..<4 {
            let first = ((batch * 4 + head) * 3 + row) * width
            expected += (first..<(first + width)).map { Float($0 * 2 + part) }
          }
        }
      }
    }
    #expect(found == expected)
  }

  @Test func castsAndComparisonsJoinAChain() throws {
    let steps = try steps {
      let x = input([8, 6], .float16)
      return [(x.cast(to: .float32) .> 0.5).select(x, x * 3).cast(to: .int32)]
    }
    #expect(steps.count == 1)
  }

  @Test func aReductionHasAPrologueAndAnEpilogue() throws {
    let steps = try steps {
      let x = input([8, 6])
      return [((x - input([6])).exp().sum(axis: 1) * 2 + input([8])).log()]
    }
    #expect(steps.count == 1)
    guard case .reduction(let step) = steps.first else { return #expect(Bool(false), "\(steps)") }
    #expect(step.prologue.instructions.count == 2 && step.axes == [1])
  }

  /// The steps compute the maximum, the exponentials, their sum and the quotient.
  @Test func softmaxIsFourSteps() throws {
    #expect(try steps { [input([8, 6]).softmax()] }.count == 4)
  }

  /// A reshape after an epilogue does not separate the epilogue from its product.
  @Test func aReshapeDoesNotPreventAnEpilogue() throws {
    let steps = try steps {
      let product = (input([8, 6]).matmul(input([6, 4])) + input([4])).relu()
      return [product.reshaped(to: [2, 4, 4]).matmul(input([2, 4, 3]))]
    }
    #expect(steps.count == 2)
    for step in steps {
      guard case .matmul = step else { return #expect(Bool(false), "\(step)") }
    }
  }

  @Test func biasAndActivationFoldIntoMatmul() throws {
    let steps = try steps { [(input([8, 6]).matmul(input([6, 4])) + input([4])).relu()] }
    #expect(steps.count == 1)
    guard case .matmul(let step) = steps.first else { return #expect(Bool(false), "\(steps)") }
    #expect(step.epilogue.plainResult == nil)
  }

  @Test func biasAndActivationFoldIntoConvolution() throws {
    let steps = try steps {
      let y = input([2, 3, 8, 8]).convolved(with: input([4, 3, 3, 3]))
      return [(y + input([4]).reshaped(to: [4, 1, 1])).relu()]
    }
    #expect(steps.count == 1)
  }

  @Test func viewsAreNotCopied() throws {
    let steps = try steps {
      let x = input([8, 6, 4])
      let view = x.transposed([2, 0, 1])[1..<3, .all, .range(step: -2)].expandingAxis(at: 1)
      return [view * 2, x.unfolded(axis: 1, size: 3).sum(axis: -1), x.reshaped(to: [48, 4]).matmul(input([4, 2]))]
    }
    #expect(steps.count == 3)
  }

  @Test func transposedMatricesAreReadInPlace() throws {
    let steps = try steps { [input([6, 8]).transposed().matmul(input([4, 6]).transposed())] }
    #expect(steps.count == 1)
  }

  /// Whether the planner computes a product or its transpose (the orientation) does not depend on the nodes that read
  /// the product. Otherwise the rounding could change, because the order of the sums may depend on the orientation.
  @Test func theOrientationOfAProductDoesNotDependOnItsReaders() throws {
    func extents(keeping: Bool) throws -> [[Int]] {
      try steps {
        let product = input([6, 8]).matmul(input([8, 3]))
        return [product.transposed() + input([3, 6])] + (keeping ? [product] : [])
      }.compactMap { if case .matmul(let step) = $0 { [step.m, step.n] } else { nil } }
    }
    #expect(try extents(keeping: false) == [[3, 6]])
    #expect(try extents(keeping: true) == [[3, 6]])
  }

  @Test func aViewOfAChainMovesToItsInputs() throws {
    #expect(try steps { [(input([8, 6]) * 2 + 1).transposed().expandingAxis(at: 1) * input([8])] }.count == 1)
  }

  @Test func equalUpdatesAreOneStep() throws {
    let steps = try steps {
      let rate = Tensor.number(0.1)
      return (1...30).map { input([$0, 3]) - rate * input([$0, 3]) }
    }
    #expect(steps.count == 1)
    guard case .elementwise(let step) = steps.first else { return #expect(Bool(false), "\(steps)") }
    #expect(step.segments.count == 30)
  }

  @Test func equalNodesAreComputedOnce() throws {
    let steps = try steps {
      let x = input([8, 6])
      return [x.sum(axis: 0) + x.sum(axis: 0)]
    }
    #expect(steps.count == 1)
  }

  @Test func checkpointedNodesAreComputedAgain() throws {
    func backward(_ isCheckpointed: Bool) throws -> Int {
      let device = RecordingDevice()
      return try withDevice(ComputeDevice(backend: device)) { () throws in
        let (x, w) = (input([8, 6]), input([6, 6]))
        let block: @Sendable ([Tensor]) -> Tensor = { $0[0].matmul($0[1]).tanh().matmul($0[1]).tanh() }
        let y = isCheckpointed ? checkpointed([x, w], block) : block([x, w])
        try eval(gradients(of: y.sum(), withRespectTo: [x, w]) + [y])
        return device.lastSteps.count { if case .matmul = $0 { true } else { false } }
      }
    }
    let (plain, again) = try (backward(false), backward(true))
    #expect(again > plain)
  }

  /// Many results of one chain are distributed over several programs.
  @Test func programsHaveAtMostSixteenResults() throws {
    let steps = try steps {
      var x = input([8])
      return (0..<40).map { _ in
        x = x.sin() + 1
        return x
      }
    }
    #expect(steps.count >= 3 && steps.count <= 5)
    for case .elementwise(let step) in steps { #expect(step.program.outputs.count <= 16) }
  }

  @Test func slabsStayBelowTheLargestAllocation() throws {
    let device = RecordingDevice(maximumAllocationByteCount: 4096)
    try withDevice(ComputeDevice(backend: device)) { () throws in
      let w = input([16, 16])
      var x = input([16, 16])
      var kept: [Tensor] = []
      for _ in 0..<10 {
        x = x.matmul(w)
        kept.append(x.sum(axis: 0))
      }
      let total = kept.reduce(x.sum(axis: 1)) { $0 + $1 }
      kept = []
      try eval(total)
    }
    let plan = try #require(device.plans.last)
    #expect(plan.slabs.allSatisfy { $0 <= 4096 })
  }
}
