// Word vectors by skip-gram with negative sampling (Mikolov et al., 2013), from a text in which words of one topic
// occur together.
import Apus

let steps = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1])! : 300
let (words, topics, width, batch, negatives, window) = (200, 5, 16, 256, 5, 2)

var key = RandomKey(seed: 1)

// Each sentence takes its words from one topic.
let text = (0..<2000).flatMap { _ in
  let topic = Int.random(in: 0..<topics, using: &key)
  return (0..<10).map { _ in Int.random(in: 0..<words / topics, using: &key) * topics + topic }
}

struct SkipGram: Module {
  let centers = Embedding(words, width, initializer: .normal(deviation: 0.1))
  let contexts = Embedding(words, width, initializer: .normal(deviation: 0.1))

  /// The loss for words and their neighbors, `[batch]` each, and for random words, `noise: [batch, negatives]`.
  func callAsFunction(_ center: Tensor, _ context: Tensor, _ noise: Tensor) -> Tensor {
    let vector = centers(center)
    let near = (vector * contexts(context)).sum(axis: 1)
    let far = contexts(noise).matmul(vector.expandingAxis(at: 2))[.all, .all, 0]
    return -(near.logSigmoid() + (-far).logSigmoid().sum(axis: 1)).mean()
  }
}

let model = SkipGram()
let optimizer = Optimizer(Adam(learningRate: 0.01), for: model)

reportingErrors {
  for step in 1...steps {
    let places = (0..<batch).map { _ in Int.random(in: window..<text.count - window, using: &key) }
    let center = Tensor(places.map { text[$0] })
    let context = Tensor(places.map { text[$0 + [-2, -1, 1, 2].randomElement(using: &key)!] })
    let noise = Tensor.randomIntegers([batch, negatives], upper: words, key: &key)
    let loss = try withMode(.training) { try optimizer.minimize { model(center, context, noise) } }
    if step % 20 == 0 { print("step", step, "loss", try loss.scalar()) }
  }
  let vectors = model.centers.weight.value
  let unit = vectors / vectors.norm(axis: 1, keepingAxes: true)
  let near = (unit.matmul(unit.transposed()) - Tensor.eye(words) * 2).argmax(axis: 1)
  let hits = near.remainder(topics) .== Tensor.range(to: Double(words)).remainder(topics)
  print("share of nearest neighbors with the same topic", try hits.cast(to: .float32).mean().scalar())
}
