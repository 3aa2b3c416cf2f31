import Apus
import ApusTestSupport
import Testing

@Suite struct TestTimeAugmentationTests {
  private static let (count, height, width) = (3, 4, 5)
  private static let weights = (0..<2 * height * width).map { Float(($0 * 7) % 11) / 8 - 0.5 }
  private static let pixels = (0..<count * 2 * height * width).map { Float(($0 * 13) % 17) / 8 - 1 }

  /// The square of the weighted sum of an image's values, which differs from view to view.
  private static let model = Function { x in
    let size: Shape = [2, TestTimeAugmentationTests.height, TestTimeAugmentationTests.width]
    let factors = Tensor(TestTimeAugmentationTests.weights, shape: size)
    return (x * factors).sum(axes: [1, 2, 3]).squared().reshaped(to: [-1, 1])
  }

  /// The index from which reflection padding takes the value at `index`, which is in `-1 ... extent`.
  private static func reflected(_ index: Int, _ extent: Int) -> Int {
    index < 0 ? -index : index >= extent ? 2 * (extent - 1) - index : index
  }

  /// The output for a view of an image: pixel `(y, x)` of the view is pixel `(y + shift, x + shift)` of the image. A
  /// mirrored view has these columns in reverse order.
  private static func output(_ image: Int, shift: Int, isMirrored: Bool) -> Double {
    var sum = 0.0
    for channel in 0..<2 {
      for y in 0..<height {
        for x in 0..<width {
          let column = reflected((isMirrored ? width - 1 - x : x) + shift, width)
          let row = reflected(y + shift, height)
          let plane = image * 2 + channel
          let pixel = pixels[(plane * height + row) * width + column]
          sum += Double(weights[(channel * height + y) * width + x] * pixel)
        }
      }
    }
    return sum * sum
  }

  /// The mean of the outputs for a view and its mirror image.
  private static func pair(_ image: Int, shift: Int) -> Double {
    (output(image, shift: shift, isMirrored: false) + output(image, shift: shift, isMirrored: true)) / 2
  }

  @Test func outputsAreMeansOverViews() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let x = Tensor(Self.pixels, shape: [Self.count, 2, Self.height, Self.width])
      let expected: [(TestTimeAugmentation, (Int) -> Double)] = [
        (.none, { Self.output($0, shift: 0, isMirrored: false) }), (.flip, { Self.pair($0, shift: 0) }),
        (
          .flipShift,
          { Self.pair($0, shift: 0) / 2 + (Self.pair($0, shift: -1) + Self.pair($0, shift: 1)) / 4 }
        ),
      ]
      for (augmentation, value) in expected {
        let layer = augmentation.layer(Self.model)
        let found = try layer(x).array(of: Float.self)
        for image in 0..<Self.count {
          #expect(abs(Double(found[image]) - value(image)) < 1e-4 * (1 + value(image)), "\(augmentation), \(image)")
        }
      }
    }
  }

  /// Images of one row are translated too. One row cannot be reflected, so the padding repeats the pixels at the edges.
  @Test func imagesOfOneRow() throws {
    try withDevice(TestDevice.reference.device) { () throws in
      let squares = Function { x in x.sum(axes: [1, 2, 3]).squared() }
      let x = Tensor([1, 2, 4] as [Float], shape: [1, 1, 1, 3])
      // The translated views are 1 1 2 and 2 4 4, and mirror images have the same sums: 49 / 2 + (16 + 100) / 4.
      #expect(try TestTimeAugmentation.flipShift.outputs(of: squares, x).array() == [53.5])
    }
  }
}
