// Model-agnostic meta-learning with second derivatives (Finn et al., 2017): a network that fits a new sine wave in one
// step.
import Apus

let steps = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1])! : 500
let (tasks, shots, innerRate) = (4, 10, 0.02)

let model = Sequential {
  Linear(1, 40)
  Tanh()
  Linear(40, 40)
  Tanh()
  Linear(40, 1)
}
let optimizer = Optimizer(Adam(learningRate: 2e-3), for: model)
var key = RandomKey(seed: 1)

/// Returns the loss function of a new random wave, `a sin(x + p)`. Each call of that function uses new random points.
@MainActor func waveLoss() -> () -> Tensor {
  let amplitude = Tensor.uniform([1], lower: 0.5, upper: 3, key: &key)
  let phase = Tensor.uniform([1], lower: 0, upper: .pi, key: &key)
  return {
    let x = Tensor.uniform([shots, 1], lower: -5, upper: 5, key: &key)
    return meanSquaredError(model(x), amplitude * (x + phase).sin())
  }
}

/// The loss for a new random wave after one step of gradient descent. The gradient of this loss includes the derivative
/// of that step, so it contains second derivatives.
@MainActor func adaptedLoss() -> Tensor {
  let loss = waveLoss()
  let values = model.values
  let slopes = gradients(of: loss(), withRespectTo: values.tensors)
  return withValues(values.mapped { index, value in value - slopes[index] * innerRate }) { loss() }
}

reportingErrors {
  for step in 1...steps {
    let loss = try withMode(.training) {
      try optimizer.minimize { (1..<tasks).reduce(adaptedLoss()) { sum, _ in sum + adaptedLoss() } / tasks }
    }
    if step % 20 == 0 { print("step", step, "loss", try loss.scalar()) }
  }
}
