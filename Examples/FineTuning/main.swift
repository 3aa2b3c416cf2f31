// Fine-tuning: a network learns to classify stripes of ten directions, and is saved. A copy of the network gets a new
// head for two of these directions, and only 32 examples. The new head is trained first, then all layers at a low
// learning rate.
import Apus

let steps = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1])! : 150
var key = RandomKey(seed: 1)

struct Network: Module {
  let features = Sequential {
    Conv2d(1, 16, kernel: 5, padding: 2)
    BatchNorm(16)
    ReLU()
    MaxPool2d(2)
    Conv2d(16, 32, kernel: 3, padding: 1)
    BatchNorm(32)
    ReLU()
    GlobalAveragePool()
  }
  var head: Linear

  init(classes: Int) { head = Linear(32, classes) }

  func callAsFunction(_ x: Tensor) -> Tensor { head(features(x)) }
}

/// Noisy stripes in one of `classes` directions, `[count, 1, 16, 16]`, with their labels.
@MainActor func stripes(_ count: Int, classes: Int) -> (images: Tensor, labels: Tensor) {
  let labels = Tensor.randomIntegers([count], upper: classes, key: &key)
  let angle = (labels * (.pi / Double(classes)) + 0.1).reshaped(to: [count, 1, 1, 1])
  let place = Tensor.range(to: 16)
  let phase = Tensor.uniform([count, 1, 1, 1], upper: 6, key: &key)
  let waves = (angle.cos() * place + angle.sin() * place.reshaped(to: [16, 1]) + phase).sin()
  return (waves + Tensor.normal(waves.shape, deviation: 0.5, key: &key), labels)
}

@MainActor func train(_ model: Network, _ name: String, rate: Double, _ batch: () -> (images: Tensor, labels: Tensor))
  throws
{
  let optimizer = Optimizer(Adam(learningRate: rate), for: model)
  for step in 1...steps {
    let (images, labels) = batch()
    let loss = try withMode(.training) { try optimizer.minimize { crossEntropy(model(images), labels) } }
    if step % 10 == 0 { print(name, step, "loss", try loss.scalar()) }
  }
}

reportingErrors {
  let source = Network(classes: 10)
  try train(source, "source", rate: 3e-3) { stripes(32, classes: 10) }
  try source.state.save(to: "stripes.safetensors")

  var model = Network(classes: 10)
  try model.state.load(from: "stripes.safetensors")
  model.head = Linear(32, 2)
  let few = stripes(32, classes: 2)
  model.freeze { $0.hasPrefix("features.") }
  // In inference mode, the batch norms of the frozen features use their running statistics and do not update them.
  try withMode(.inference, of: model.features) { try train(model, "head", rate: 1e-2) { few } }
  model.unfreeze()
  try train(model, "all", rate: 1e-4) { few }
  let (images, labels) = stripes(256, classes: 2)
  print("accuracy", try (model(images).argmax(axis: 1) .== labels).cast(to: .float32).mean().scalar())
}
