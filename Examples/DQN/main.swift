// Deep Q-learning (Mnih et al., 2015) with a target network: a paddle learns to catch a falling ball.
import Apus

let steps = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1])! : 3000
let (size, batch, discount) = (5, 32, 0.95)
var key = RandomKey(seed: 1)

/// A ball falls from row 0 to the last row, one row in each move. A paddle in the last row moves left (action 0), stays
/// (1) or moves right (2).
struct Catch {
  var (row, paddle) = (0, size / 2)
  let ball: Int
  var state: [Float] { [Float(row), Float(ball), Float(paddle)].map { $0 / Float(size - 1) } }

  init(_ key: inout RandomKey) { ball = Int.random(in: 0..<size, using: &key) }

  /// Makes a move. Returns the reward, and whether the game is over.
  mutating func move(_ action: Int) -> (reward: Float, isOver: Bool) {
    row += 1
    paddle = min(max(paddle + action - 1, 0), size - 1)
    return row < size - 1 ? (0, false) : (paddle == ball ? 1 : -1, true)
  }
}

func network() -> Sequential {
  Sequential {
    Linear(3, 64)
    ReLU()
    Linear(64, 64)
    ReLU()
    Linear(64, 3)
  }
}

reportingErrors {
  let (online, target) = (network(), network())
  try target.load(from: online)
  let optimizer = Optimizer(Adam(learningRate: 2e-3), for: online)
  var memory: [(state: [Float], action: Int, reward: Float, next: [Float], isOver: Bool)] = []
  var game = Catch(&key)
  var rewards: [Float] = []

  for step in 1...steps {
    let state = game.state
    let explores = Double.random(in: 0..<1, using: &key) < max(0.05, 1 - 2 * Double(step) / Double(steps))
    let action = explores ? Int.random(in: 0..<3, using: &key) : Int(try online(Tensor(state)).argmax().scalar())
    let (reward, isOver) = game.move(action)
    memory.append((state, action, reward, game.state, isOver))
    if isOver {
      rewards.append(reward)
      game = Catch(&key)
    }
    guard memory.count >= batch else { continue }
    let sample = (0..<batch).map { _ in memory.randomElement(using: &key)! }
    let best = target(Tensor(sample.map(\.next))).max(axis: 1)
    let goal = Tensor(sample.map(\.reward)) + best * discount * Tensor(sample.map { $0.isOver ? 0 : 1 })
    _ = try withMode(.training) {
      try optimizer.minimize(clipNorm: 10) {
        let values = online(Tensor(sample.map(\.state)))
        return smoothL1(values.takingAlong(Tensor(sample.map { [$0.action] }), axis: 1)[.all, 0], goal.stopGradient())
      }
    }
    if step % 100 == 0 { try target.load(from: online) }
    if step % 500 == 0 {
      print("step", step, "reward", rewards.suffix(100).reduce(0, +) / Float(min(rewards.count, 100)))
    }
  }
}
