import Apus
import Testing

/// The Swift examples of Documentation/GettingStarted.md, word for word. `BookTests` compares the two files.
@Suite struct GettingStartedExamples {
  @Test func exclusiveOr() throws {
    try withDevice(.named("cpu")) { () throws in
      try withRandomKey(RandomKey(seed: 1)) { () throws in
        // example
        let model = Sequential {
          Linear(2, 16)
          Tanh()
          Linear(16, 2)
        }
        let optimizer = Optimizer(Adam(learningRate: 3e-2), for: model)
        let inputs = Tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
        let labels = Tensor([0, 1, 1, 0] as [Int32])
        for step in 1...300 {
          let loss = try withMode(.training) {
            try optimizer.minimize { crossEntropy(model(inputs), labels) }
          }
          if step % 100 == 0 { print(step, try loss.scalar()) }
        }
        print(try model(inputs).argmax(axis: 1).array(of: Int32.self))  // [0, 1, 1, 0]
        // end
        #expect(try model(inputs).argmax(axis: 1).array(of: Int32.self) == [0, 1, 1, 0])
      }
    }
  }
}
