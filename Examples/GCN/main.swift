// A graph convolutional network (Kipf, Welling, 2017) that finds four communities from four labeled nodes in each.
import Apus

let steps = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1])! : 100
let (nodes, classes, width) = (200, 4, 16)
let labels = (0..<nodes).map { $0 % classes }

// Edges in both directions, most of them within a community, and a self-loop at every node.
var key = RandomKey(seed: 1)
var edges = (0..<nodes).map { ($0, $0) }
for left in 0..<nodes {
  for right in 0..<left {
    let share = labels[left] == labels[right] ? 0.15 : 0.01
    if Double.random(in: 0..<1, using: &key) < share { edges += [(left, right), (right, left)] }
  }
}
let (sources, targets) = (Tensor(edges.map(\.0)), Tensor(edges.map(\.1)))
let degrees = Tensor.zeros([nodes]).indexAdding(.ones([edges.count]), at: targets)
// The factor of each edge: 1 / sqrt(degree of the source * degree of the target).
let shares = (degrees[sources] * degrees[targets]).rsqrt().expandingAxis(at: 1)

struct GraphConvolution: Layer {
  let linear: Linear

  init(_ inputs: Int, _ outputs: Int) { linear = Linear(inputs, outputs) }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let y = linear(x)
    return Tensor.zeros(y.shape).indexAdding(y[sources] * shares, at: targets)
  }
}

let model = Sequential {
  GraphConvolution(nodes, width)
  ReLU()
  Dropout(0.5)
  GraphConvolution(width, classes)
}
let optimizer = Optimizer(Adam(learningRate: 0.01, weightDecay: 5e-4), for: model)
let (features, truth, known) = (Tensor.eye(nodes), Tensor(labels), 0..<4 * classes)

reportingErrors {
  for step in 1...steps {
    let loss = try withMode(.training) {
      try optimizer.minimize { crossEntropy(model(features)[known], truth[known]) }
    }
    if step % 10 == 0 { print("step", step, "loss", try loss.scalar()) }
  }
  let hits = model(features).argmax(axis: 1) .== truth
  print("accuracy", try hits.cast(to: .float32).mean().scalar())
}
