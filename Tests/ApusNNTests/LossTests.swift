import Apus
import ApusTestSupport
import Testing

/// Losses: invalid targets, element types and shapes.
@Suite struct LossTests {
  let device = ComputeDevice(backend: ReferenceDevice())

  /// A target outside of the classes is an error on every device, not a loss.
  @Test(arguments: TestDevice.all) func targetsOutsideOfTheClassesAreErrors(_ test: TestDevice) throws {
    for bad: Int32 in [-1, 3, -3, .min, .max] {
      for dtype in [DType.int32, .int64] {
        let device = try test.reopened()
        let error = #expect(throws: DeviceError.self) {
          try withDevice(device) { () throws in
            let targets = Tensor([0, bad, 2] as [Int32]).cast(to: dtype)
            let losses = crossEntropy(.zeros([3, 3]), try eval(targets), reduction: .none)
            // Some devices find the invalid target when the loss is computed, others when the loss is read.
            _ = try losses.array()
          }
        }
        guard case .indexOutOfRange = error else {
          Issue.record("\(test.name), \(bad): \(String(describing: error))")
          continue
        }
      }
    }
  }

  /// For logits that `float16` represents exactly, losses do not depend on the element types of logits and targets.
  /// Ignored targets do not contribute to the mean.
  @Test(arguments: TestDevice.all) func typesOfTargets(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let logits = Tensor([1, 2, 3, 4, 0, 2] as [Float], shape: [2, 3])
      let expected = try crossEntropy(logits, Tensor([2, 0] as [Int32]), reduction: .none).array()
      #expect(abs(expected[0] - 0.407606) < 1e-5 && abs(expected[1] - 0.142932) < 1e-5)
      for dtype in [DType.uint8, .int8, .int64] {
        let targets = Tensor([2, 0] as [Int32]).cast(to: dtype)
        #expect(try crossEntropy(logits, targets, reduction: .none).array() == expected)
        #expect(try crossEntropy(logits.cast(to: .float16), targets, reduction: .none).array() == expected)
      }
      let ignored = crossEntropy(logits, Tensor([2, -100] as [Int32]), ignoring: -100)
      #expect(try ignored.scalar() == Double(expected[0]))
    }
  }

  @Test func shapesThatDoNotFitAreNamed() {
    withDevice(device) {
      let error = #expect(throws: ShapeError.self) {
        try checkingShapes { crossEntropy(.zeros([4, 3]), .zeros([5], dtype: .int32)) }
      }
      #expect(error?.operation == "crossEntropy")
      #expect(throws: ShapeError.self) {
        try checkingShapes { crossEntropy(.zeros([4, 3]), .zeros([4], dtype: .float32)) }
      }
      #expect(throws: ShapeError.self) {
        try checkingShapes { meanSquaredError(.zeros([4, 3]), .zeros([4])) }
      }
    }
  }
}

/// Losses of probabilities of 0, and the reduction `batchMean`.
@Suite struct SafeLogTests {
  /// A probability of 0 has a loss of 100, not infinity, and its gradient is finite.
  @Test(arguments: TestDevice.conformance) func aProbabilityOfZeroHasAFiniteLoss(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let p = Tensor([0, 1, 0.25, 0.75] as [Float], shape: [2, 2])
      let losses = crossEntropy(fromProbabilities: p, Tensor([0, 1] as [Int32]), reduction: .none)
      let slopes = gradients(of: losses.sum(), withRespectTo: [p])[0]
      #expect(try losses.array()[0] == 100)
      #expect(abs(try losses.array()[1] - 0.2876821) < 1e-6)
      #expect(try slopes.array().allSatisfy(\.isFinite))
      let ignored = crossEntropy(fromProbabilities: p, Tensor([0, -1] as [Int32]), ignoring: -1)
      #expect(try ignored.scalar() == 100)
    }
  }

  /// A probability of NaN has a loss of NaN.
  @Test(arguments: TestDevice.conformance) func aProbabilityOfNaNIsReported(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let p = Tensor([.nan, 0.5] as [Float])
      #expect(try binaryCrossEntropy(fromProbabilities: p, .ones([2])).scalar().isNaN)
      #expect(try crossEntropy(fromProbabilities: p.reshaped(to: [1, 2]), Tensor([0] as [Int32])).scalar().isNaN)
    }
  }

  /// A label that is valid only after a cast to `int32` has wrapped it is still an error where it is used as `int64`.
  @Test(arguments: TestDevice.conformance) func labelsAreCheckedInTheirOwnType(_ test: TestDevice) throws {
    try withDevice(test.device) { () throws in
      let (logits, labels) = (Tensor.zeros([1, 3]), Tensor([1 << 32 + 1] as [Int64]))
      #expect(try crossEntropy(logits, labels.cast(to: .int32)).scalar() > 0)
      let both = crossEntropy(logits, labels.cast(to: .int32)) + crossEntropy(logits, labels)
      #expect(throws: DeviceError.self) { try both.scalar() }
    }
  }

  /// `batchMean` divides by the number of examples, not by the number of elements.
  @Test func meansOverTheBatch() throws {
    try withDevice(ComputeDevice(backend: ReferenceDevice())) { () throws in
      let (x, t) = (Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3]), Tensor.zeros([2, 3]))
      #expect(try meanAbsoluteError(x, t, reduction: .batchMean).scalar() == 10.5)
      #expect(try meanAbsoluteError(x, t).scalar() == 3.5)
    }
  }
}
