import ApusTensor
import ApusNN

let name = CommandLine.arguments[1]
let device = try ComputeDevice.named(name)
let clock = ContinuousClock()
let start = clock.now
try withDevice(device) {
  let mlp = CommandLine.arguments.count > 2
  let model = mlp ? Sequential { Flatten(); Linear(784, 256); ReLU(); Linear(256, 128); ReLU(); Linear(128, 10) } : Sequential {
    Conv2d(1, 6, kernel: 5, padding: 2); ReLU(); MaxPool2d(2)
    Conv2d(6, 16, kernel: 5); ReLU(); MaxPool2d(2)
    Flatten(); Linear(400, 120); ReLU(); Linear(120, 84); ReLU(); Linear(84, 10)
  }
  let x = Tensor((0..<100352).map { (i: Int) -> Float in Float((i * 7919) % 1000) / 500 - 1 }, shape: [128, 1, 28, 28])
  let labels = Tensor((0..<128).map { (i: Int) -> Int32 in Int32((i * 31) % 10) })
  let optimizer = Optimizer(SGD(learningRate: 0.01, momentum: 0.9), for: model)
  func step() throws -> Tensor { try withMode(.training) { try optimizer.minimize { crossEntropy(model(x), labels) } } }
  print("first", try step().scalar(), clock.now - start)
  for _ in 0..<5 { print(try step().scalar()) }
  var times: [Duration] = []
  for _ in 0..<10 {
    times.append(try clock.measure { for _ in 0..<20 { _ = try step() }; try device.synchronize() } / 20)
  }
  times.sort()
  print(name, "step", times[0], times[5], "steps", device.lastPlanStepCount, "plans", device.preparedPlanCount)
}
