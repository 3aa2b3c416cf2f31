// Inference in half precision: a network is trained in float32, a float16 network loads its weights, and the outputs
// and accuracies of the two networks are compared.
import Apus

let steps = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1])! : 200
var key = RandomKey(seed: 1)

func network() -> Sequential {
  Sequential {
    Linear(64, 256)
    LayerNorm(256)
    GELU()
    Linear(256, 256)
    GELU()
    Linear(256, 10)
  }
}

let centers = Tensor.normal([10, 64], key: &key)

/// Points around one of ten centers, `[count, 64]`, with the indices of their centers.
@MainActor func points(_ count: Int) -> (inputs: Tensor, labels: Tensor) {
  let labels = Tensor.randomIntegers([count], upper: 10, key: &key)
  return (centers[labels] + Tensor.normal([count, 64], deviation: 1.5, key: &key), labels)
}

let model = network()
let optimizer = Optimizer(Adam(learningRate: 1e-3, weightDecay: 0.01, isDecoupled: true), for: model)

reportingErrors {
  for step in 1...steps {
    let (inputs, labels) = points(64)
    let loss = try withMode(.training) { try optimizer.minimize { crossEntropy(model(inputs), labels) } }
    if step % 20 == 0 { print("step", step, "loss", try loss.scalar()) }
  }

  let half = network()
  half.convert(to: .float16)
  try half.load(from: model)
  let (inputs, labels) = points(1024)
  let (exact, narrow) = (model(inputs).softmax(), half(inputs.cast(to: .float16)).softmax())
  print("largest difference", try (exact - narrow).abs().max().scalar())
  for (name, shares) in [("float32", exact), ("float16", narrow)] {
    print(name, "accuracy", try (shares.argmax(axis: 1) .== labels).cast(to: .float32).mean().scalar())
  }
}
