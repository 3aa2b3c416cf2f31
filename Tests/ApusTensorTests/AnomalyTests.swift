import Apus
import ApusTestSupport
import ApusTensor
import Foundation
import Synchronization
import Testing

/// The error of `detectingAnomalies` names the first operation that produces NaN or an infinity.
@Suite struct AnomalyTests {
  /// All devices but the CUDA device and OpenCL devices with `gpu` kernels (`everyShape`): detection does not depend on
  /// the kernel class, so the `cpu` kernels are enough.
  private static let devices = TestDevice.all.filter { $0.extent != .everyShape }

  private func anomaly(_ body: () throws -> Void) -> Anomaly? {
    do {
      try detectingAnomalies(body)
    } catch DeviceError.notFinite(let anomaly) {
      return anomaly
    } catch {
      Issue.record(error)
    }
    return nil
  }

  @Test(arguments: AnomalyTests.devices) func theFirstAnomalyIsReportedWithoutItsConsequences(target: TestDevice) throws
  {
    try withDevice(target.device) { () throws in
      let x = Tensor([1, 2, 4, 0, 0, 1] as [Float], shape: [2, 3])
      let y = (x * 2).log()
      let z = (y.exp() + y).sum()
      let found = try #require(anomaly { try eval(z) })
      #expect(found.operation == "log" && found.shape == [2, 3] && found.coordinates == [1, 0] && found.count == 2)
      #expect(found.value == -.infinity && found.device == target.device.name)
      #expect(found.inputs == [.init(dtype: .float32, shape: [2, 3], range: 0...8)])
      #expect(found.layer == nil && !found.isGradient && found.iteration == nil)
      // The values are computed nevertheless.
      #expect(try z.scalar() == -.infinity)
      // An operation on non-finite inputs is no anomaly, unless it produces NaN from infinities.
      #expect(anomaly { try eval(z * 2) } == nil)
      let undefined = try #require(anomaly { try eval((z * 2 - z) * 3) })
      #expect(undefined.operation == "subtract" && undefined.value.isNaN, "\(undefined)")
    }
  }

  @Test(arguments: AnomalyTests.devices) func loopsNameTheirOperationAndIteration(target: TestDevice) throws {
    try withDevice(target.device) { () throws in
      let x = Tensor([2, 2, 1, 1] as [Float], shape: [4, 1])
      let y = x * 20
      for isReversed in [false, true] {
        let (carried, _) = loop(over: [y], carrying: [Tensor.ones([1])], isReversed: isReversed) { carried, elements in
          ([(elements[0] + carried[0] * 0).exp() * carried[0]], [])
        }
        // Forward, e⁴⁰ · e⁴⁰ is finite, and its product with the e²⁰ of element 2 overflows. Reversed, e²⁰ · e²⁰ · e⁴⁰
        // is finite, and its product with the e⁴⁰ of element 0 overflows. `iteration.index` is the index of the
        // element.
        let found = try #require(anomaly { try eval(carried) })
        #expect(
          found.operation == "multiply" && found.iteration == .init(index: isReversed ? 0 : 2, count: 4), "\(found)")
      }
    }
  }

  @Test func anomaliesOfGradientsAreMarked() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor([0, 1] as [Float])
      let found = try #require(
        anomaly {
          try recordingGradients {
            let loss = (x.sqrt() * 3).sum()
            try eval(gradients(of: loss, withRespectTo: [x]))
          }
        })
      #expect(found.operation == "divide" && found.isGradient && found.coordinates == [0] && found.value == .infinity)
      #expect(found.description.contains("divide gives inf at [0] of float32 [2], in a gradient; from"))
    }
  }

  @Test func plansOutsideOfTheScopeAreNotChecked() throws {
    let device = ComputeDevice(backend: ReferenceDevice())
    try withDevice(device) { () throws in
      let x = try eval(Tensor([0, 1] as [Float]))
      func step() throws { try eval((x.log() * 2).exp().sum()) }
      try step()
      let count = device.lastPlanStepCount
      #expect(anomaly(step)?.operation == "log")
      let plans = device.preparedPlanCount
      try step()
      #expect(device.preparedPlanCount == plans && device.lastPlanStepCount == count)
      #expect(anomaly(step)?.operation == "log")
      #expect(device.preparedPlanCount == plans, "checked steps reuse their plan")
    }
  }

  /// A view of the finite part of a value is finite.
  @Test func viewsOfFiniteElementsAreNoAnomalies() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor([.infinity, 0, 1, .infinity] as [Float], shape: [2, 2])
      let finite = x.transposed().reshaped(to: [4]).slice(axis: 0, from: 1, count: 2)
      #expect(try finite.array() == [1, 0])
      #expect(try #require(anomaly { try eval(finite.log()) }).inputs[0].range == 0...1)
      #expect(anomaly { try eval(x.transposed().log()) } == nil)
      #expect(anomaly { try eval([x + 1, finite + 1]) } == nil)
    }
  }

  /// Layers that are built concurrently, in tasks of one scope, keep their names.
  @Test func tasksDoNotMixNames() async {
    let layers = ConcurrentLayers()
    await withCheckedContinuation { continuation in
      // Runs on a separate thread, which waits for the tasks.
      Thread.detachNewThread {
        detectingAnomalies { layers.build(["a", "b"], on: TestDevice.reference.device) }
        continuation.resume()
      }
    }
    #expect(layers.names.withLock { $0 } == ["a": "a (Layer)", "b": "b (Layer)"])
  }

  @Test func dataWithNaNAreNamed() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor([1, .nan, 3] as [Float])
      let found = try #require(anomaly { try eval((x * 2).sum()) })
      #expect(found.operation == "value" && found.coordinates == [1] && found.inputs.isEmpty)
      #expect(found.description == "value has nan at [1] of float32 [3]; found on device reference")
    }
  }

  @Test(arguments: [DType.float16, .bfloat16, .float64]) func allTypesAreChecked(dtype: DType) throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor([1, 3] as [Float]).cast(to: dtype)
      let limit = Tensor([dtype == .float64 ? 1e308 : dtype == .float16 ? 3e4 : 2e38] as [Double]).cast(to: dtype)
      let found = try #require(anomaly { try eval(x * limit) })
      #expect(found.operation == "multiply" && found.coordinates == [1] && found.dtype == dtype)
    }
  }
}

/// Two layers that are inside their naming scopes at the same time.
private final class ConcurrentLayers: Sendable {
  /// The layer that each anomaly reports, by key.
  let names = Mutex<[String: String]>([:])
  private let entered = [DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)]

  func build(_ keys: [String], on device: ComputeDevice) {
    let tasks = DispatchGroup()
    for (number, key) in keys.enumerated() {
      tasks.enter()
      Task {
        run(number, key, on: device)
        tasks.leave()
      }
    }
    tasks.wait()
  }

  private func run(_ number: Int, _ key: String, on device: ComputeDevice) {
    let y = withDevice(device) {
      namingOperations(after: (key, "Layer")) {
        entered[number].signal()
        // If there is only one thread, the wait ends after 2 seconds; without a timeout it would never end.
        _ = entered[1 - number].wait(timeout: .now() + 2)
        return Tensor([0, 1] as [Float]).log()
      }
    }
    do {
      try eval(y)
    } catch DeviceError.notFinite(let anomaly) {
      names.withLock { $0[key] = anomaly.layer ?? "" }
    } catch {
      Issue.record(error)
    }
  }
}
