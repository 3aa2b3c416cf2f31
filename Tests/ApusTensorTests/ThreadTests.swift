import Apus
import ApusTestSupport
import Foundation
import Testing

/// Tensors that several threads use at the same time.
@Suite struct ThreadTests {
  /// In each round, five tasks share a graph: one task evaluates the graph, one evaluates a common subgraph, one
  /// differentiates, one differentiates twice, and one builds more operations and reads a result.
  @Test func oneGraphOnSeveralThreads() async throws {
    for device in [TestDevice.reference.device, try #require(TestDevice.all.first { $0.name == "cpu" }).device] {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in 0..<2 {
          group.addTask {
            for round in 0..<750 { try await share(device, Float(worker * 10 + round % 10 + 1)) }
          }
        }
        try await group.waitForAll()
      }
    }
  }

  /// A thread that records gradients defers a value to its next evaluation (`evaluateWithNext`). An evaluation on
  /// another thread does not evaluate this value.
  @Test func otherThreadsDoNotEvaluateDeferredValues() throws {
    let device = TestDevice.reference.device
    let x = try eval(Tensor([1, 2, 3] as [Float], device: device))
    let found = try recordingGradients {
      let y = (x * x).exp()
      let statistic = y.mean()
      statistic.evaluateWithNext()
      let done = DispatchSemaphore(value: 0)
      Thread.detachNewThread {
        #expect(throws: Never.self) { try #expect((Tensor([4, 5] as [Float], device: device) + 1).array() == [5, 6]) }
        done.signal()
      }
      done.wait()
      #expect(!statistic.isEvaluated && !y.isEvaluated)
      let gradient = gradients(of: y.sum() + statistic, withRespectTo: [x])[0]
      try eval(gradient)
      #expect(statistic.isEvaluated)
      return try gradient.array()
    }
    let plain = (x * x).exp()
    #expect(try gradients(of: plain.sum() + plain.mean(), withRespectTo: [x])[0].array() == found)
  }

  private func share(_ device: ComputeDevice, _ value: Float) async throws {
    let x = Tensor([value, 2], device: device)
    // The chain is so long that evaluations begin while another task traverses it.
    let common = (0..<20).reduce(x * x + 1) { (sum: Tensor, _: Int) -> Tensor in sum + 2 - 1 - 1 }
    let y = (common * common).sum()
    let z = common.log()
    let squares: [Float] = [value * value + 1, 5]
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try eval(y)
        #expect(try y.scalar() == Double(squares[0] * squares[0] + 25))
      }
      group.addTask {
        try eval(common)
        #expect(try common.array() == squares)
        #expect(common.isEvaluated)
      }
      group.addTask {
        // If another task has already evaluated `common`, it may be a constant without a path to `x`. Then the gradient
        // is zero or an error.
        let loss = (common * 3).sum() + y * 0
        do {
          let found = try checkingShapes { gradients(of: loss, withRespectTo: [x])[0] }.array()
          #expect(found == [0, 0] || found == [6 * value, 12], "\(found)")
        } catch let error as ShapeError {
          #expect("\(error)".contains("recordingGradients"))
        }
      }
      group.addTask {
        let loss = (x * x * z.stopGradient()).sum()
        let second = gradients(of: gradients(of: loss, withRespectTo: [x])[0].sum(), withRespectTo: [x])[0]
        let (found, expected) = (try second.array(), try z.array().map { $0 * 2 })
        #expect(zip(found, expected).allSatisfy { ($0 - $1).magnitude < 1e-4 * $1 }, "\(found), not \(expected)")
      }
      group.addTask {
        z.evaluateWithNext()
        for step in 0..<4 { _ = (common + Float(step).tensor(on: device)).relu() }
        let difference = try (common - x * x).array()
        #expect(difference == [1, 1])
      }
      try await group.waitForAll()
    }
  }
}

extension Float {
  fileprivate func tensor(on device: ComputeDevice) -> Tensor { Tensor([self, self], device: device) }
}
