// A deep convolutional GAN (Radford et al., 2016) that learns to draw rectangles. As in PyTorch's tutorial, each step
// generates images once, and trains the discriminator and then the generator with these images.
import Apus

let steps = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1])! : 400
let (batch, noise, width) = (32, 16, 16)

let generator = Sequential {
  ConvTranspose2d(noise, 2 * width, kernel: 4, hasBias: false)
  BatchNorm(2 * width)
  ReLU()
  ConvTranspose2d(2 * width, width, kernel: 4, stride: 2, padding: 1, hasBias: false)
  BatchNorm(width)
  ReLU()
  ConvTranspose2d(width, 1, kernel: 4, stride: 2, padding: 1, hasBias: false)
  Tanh()
}
let discriminator = Sequential {
  Conv2d(1, width, kernel: 4, stride: 2, padding: 1, hasBias: false)
  LeakyReLU(slope: 0.2)
  Conv2d(width, 2 * width, kernel: 4, stride: 2, padding: 1, hasBias: false)
  BatchNorm(2 * width)
  LeakyReLU(slope: 0.2)
  Conv2d(2 * width, 1, kernel: 4, hasBias: false)
  Flatten(from: 0)
}
let rule = Adam(learningRate: 1e-3, beta1: 0.5)
let generatorOptimizer = Optimizer(rule, for: generator)
let discriminatorOptimizer = Optimizer(rule, for: discriminator)
var key = RandomKey(seed: 1)

/// Bright rectangles on a dark background, `[batch, 1, 16, 16]`.
@MainActor func rectangles() -> Tensor {
  let low = Tensor.randomIntegers([2, batch, 1], lower: 1, upper: 8, key: &key)
  let high = low + Tensor.randomIntegers([2, batch, 1], lower: 4, upper: 8, key: &key)
  let pixel = Tensor.range(to: 16)
  let inside = (pixel .>= low).logicalAnd(pixel .< high).cast(to: .float32)
  return inside[0].reshaped(to: [batch, 1, 16, 1]) * inside[1].reshaped(to: [batch, 1, 1, 16]) * 2 - 1
}

let (real, fake) = (Tensor.ones([batch]), Tensor.zeros([batch]))

reportingErrors {
  for step in 1...steps {
    try withMode(.training) {
      try recordingGradients {
        let images = generator(Tensor.normal([batch, noise, 1, 1], key: &key))
        let ofDiscriminator = try discriminatorOptimizer.minimize {
          binaryCrossEntropy(discriminator(rectangles()), real)
            + binaryCrossEntropy(discriminator(images.stopGradient()), fake)
        }
        let ofGenerator = try generatorOptimizer.minimize { binaryCrossEntropy(discriminator(images), real) }
        if step % 10 == 0 {
          print("step", step, "discriminator", try ofDiscriminator.scalar(), "generator", try ofGenerator.scalar())
        }
      }
    }
  }
  let drawn = generator(Tensor.normal([batch, noise, 1, 1], key: &key))
  print(
    "bright share", try (drawn .> 0).cast(to: .float32).mean().scalar(), "of",
    try (rectangles() .> 0).cast(to: .float32).mean().scalar())
}
