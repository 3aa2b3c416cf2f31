import ApusDevice
import ApusTensor
import ApusNN

final class FakeExecutable: Executable { let plan: Plan; init(_ p: Plan) { plan = p } }
final class HostBuffer: Buffer, @unchecked Sendable {}
final class FakeDownload: Download { 
  func wait<R>(_ body: (UnsafeRawBufferPointer) -> R) throws(DeviceError) -> R { fatalError() } }
final class FakeDevice: Device, @unchecked Sendable {
  let info = DeviceInfo(kind: .cpu, identifier: "fake", name: "fake", vendor: "", driver: "", isDiscreteGPU: false, computeUnits: 1, memoryByteCount: 1 << 40, maximumAllocationByteCount: 1 << 38, alignment: 64, supportsFloat64: true)
  func allocate(byteCount: Int) throws(DeviceError) -> Buffer { HostBuffer(byteCount: byteCount) }
  func upload(_ source: UnsafeRawBufferPointer, to buffer: Buffer) throws(DeviceError) { }
  func startDownload(_ buffer: Buffer, byteCount: Int) throws(DeviceError) -> any Download { FakeDownload() }
  func prepare(_ plan: Plan) throws(DeviceError) -> any Executable { FakeExecutable(plan) }
  func run(_ executable: any Executable, inputs: [Buffer], outputs: [Buffer], scalars: [Scalar]) throws(DeviceError) {}
  func synchronize() throws(DeviceError) {}
  var memory: MemoryStatistics { MemoryStatistics() }
  func releaseUnusedMemory() {}
}
let device = ComputeDevice(backend: FakeDevice())
try withDevice(device) {
  let model = Sequential {
    Conv2d(1, 6, kernel: 5, padding: 2); ReLU(); MaxPool2d(2)
    Conv2d(6, 16, kernel: 5); ReLU(); MaxPool2d(2)
    Flatten(); Linear(400, 120); ReLU(); Linear(120, 84); ReLU(); Linear(84, 10)
  }
  let x = Tensor([Float](repeating: 0.1, count: 128*784), shape: [128, 1, 28, 28])
  let labels = Tensor([Int32](repeating: 3, count: 128))
  let optimizer = Optimizer(SGD(learningRate: 0.01, momentum: 0.9), for: model)
  func step() throws { _ = try withMode(.training) { try optimizer.minimize { crossEntropy(model(x), labels) } } }
  for _ in 0..<3 { try step() }
  let clock = ContinuousClock()
  var all: [Duration] = []
  for _ in 0..<(CommandLine.arguments.count > 1 ? 1000 : 50) {
    let t = try clock.measure { for _ in 0..<20 { try step() } }
    all.append(t / 20)
  }
  all.sort()
  print("host per step min", all[0], "median", all[all.count / 2], "plans", device.preparedPlanCount)
}
