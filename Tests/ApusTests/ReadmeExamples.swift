import Apus
import Testing

/// The Swift example of README.md, word for word: `BookTests` compares the two. The folder `Documentation` beside this
/// file has the examples of the other pages. Each example is the code between the marks `example` and `end`.
@Suite struct ReadmeExamples {
  @Test func training() throws {
    try withDevice(.named("cpu")) { () throws in
      // example
      let model = Sequential {
        Conv2d(1, 6, kernel: 5, padding: 2)
        ReLU()
        MaxPool2d(2)
        Flatten()
        Linear(6 * 14 * 14, 10)
      }
      let optimizer = Optimizer(Adam(learningRate: 1e-3), for: model)
      let images = Tensor.ones([4, 1, 28, 28])  // [batch, channels, height, width]
      let labels = Tensor([0, 1, 2, 3] as [Int32])
      let loss = try withMode(.training) {
        try optimizer.minimize { crossEntropy(model(images), labels) }
      }
      print(try loss.scalar())
      // end
      #expect(try loss.scalar() > 1.5 && loss.scalar() < 3.5)
    }
  }
}
