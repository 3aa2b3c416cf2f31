// Sequence to sequence with attention (Luong et al., 2015): a GRU reads digits, and another GRU writes them in reverse
// order.
import Apus

let steps = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1])! : 400
let (batch, length, digits, width) = (32, 8, 10, 64)

struct Translator: Module {
  let embedding = Embedding(digits + 1, width)  // token `digits` starts an answer
  let encoder = GRU(width, width, isBatchFirst: true)
  let decoder = GRU(width, width, isBatchFirst: true)
  let mixing = Linear(2 * width, width)
  let output = Linear(width, digits)

  /// Logits for every position of an answer, `[batch, length, digits]`, with teacher forcing.
  func callAsFunction(_ source: Tensor, _ answer: Tensor) -> Tensor {
    let read = encoder(embedding(source))
    let start = Tensor(repeating: Double(digits), shape: [source.shape[0], 1], dtype: .int64)
    let before = Tensor.concatenated([start, answer[.all, 0..<length - 1]], axis: 1)
    let states = decoder(embedding(before), state: read.state).output
    let weights = states.matmul(read.output.transposed()).softmax(axis: 2)
    let context = weights.matmul(read.output)
    return output(mixing(Tensor.concatenated([states, context], axis: 2)).tanh())
  }
}

let model = Translator()
let optimizer = Optimizer(Adam(learningRate: 5e-3), for: model)
var key = RandomKey(seed: 1)

reportingErrors {
  for step in 1...steps {
    let source = Tensor.randomIntegers([batch, length], upper: digits, key: &key)
    let answer = source.flipped(axis: 1)
    let loss = try withMode(.training) {
      try optimizer.minimize(clipNorm: 1) { crossEntropy(model(source, answer).transposed(), answer) }
    }
    if step % 20 == 0 { print("step", step, "loss", try loss.scalar()) }
  }
  let source = Tensor.randomIntegers([256, length], upper: digits, key: &key)
  var answer = Tensor.zeros([256, length], dtype: .int64)
  for place in 0..<length { answer[.all, place] = model(source, answer)[.all, place].argmax(axis: 1) }
  print("accuracy", try (answer .== source.flipped(axis: 1)).cast(to: .float32).mean().scalar())
}
