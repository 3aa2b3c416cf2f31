// A user-defined data set, and gradient accumulation: each step uses the gradients of four small batches.
import Apus

let epochs = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1])! : 20

/// Points on two spirals, computed on request.
struct Spirals: ExampleSource {
  let count = 1024

  func examples(_ numbers: [Int32]) -> (inputs: Tensor, targets: Tensor) {
    let labels = Tensor(numbers.map { $0 % 2 })
    let angle = Tensor(numbers) * (9 / Double(count)) + 0.5
    let turned = angle + labels * Double.pi
    return (Tensor.stacked([angle * turned.cos(), angle * turned.sin()], axis: 1) / 9, labels)
  }
}

let data = Spirals().prefetched(threads: 2)
let order = MinibatchOrder(count: data.count, batchSize: 32, seed: 1)
let model = Sequential {
  Linear(2, 64)
  ReLU()
  Linear(64, 64)
  ReLU()
  Linear(64, 2)
}
let optimizer = Optimizer(Adam(learningRate: 1e-2), for: model)

reportingErrors {
  for epoch in 0..<epochs {
    let batches = order.epoch(epoch).map(Array.init)
    var loader = data.pass(over: batches, from: 0, epoch: epoch)
    var last: Tensor?
    for _ in 0..<batches.count / 4 {
      last = try withMode(.training) {
        try optimizer.minimize(over: 4) { _ in
          let (inputs, targets) = try loader.next()!
          return crossEntropy(model(inputs), targets)
        }
      }
    }
    print("epoch", epoch, "loss", try last!.scalar())
  }
  let (inputs, targets) = try data.examples((0..<1024).map { Int32($0) })
  print("accuracy", try (model(inputs).argmax(axis: 1) .== targets).cast(to: .float32).mean().scalar())
}
