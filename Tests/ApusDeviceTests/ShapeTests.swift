import ApusDevice
import Testing

/// An invalid shape describes why it is invalid. Counts of multiply-adds do not overflow, and layouts merge axes.
@Suite struct ShapeTests {
  @Test func validShapesHaveNoReason() {
    for shape: Shape in [[], [0], [3, 4], [1, 1, 1, 1, 1, 1, 1, 2], [1 << 58], [0, 1 << 30]] {
      #expect(shape.isValid && shape.invalidReason == nil, "\(shape)")
    }
  }

  @Test(arguments: [
    ([-1], "negative"), ([2, -3, -4], "negative"), ([.max], "too many"), ([1 << 32, 1 << 32], "too many"),
    ([0, .max, 4], "too many"), ([1, 2, 3, 4, 5, 6, 7, 8, 9], "9 axes"), ([.min], "negative"),
  ])
  func invalidShapesNameTheReason(extents: [Int], word: String) {
    let shape = Shape(extents)
    #expect(!shape.isValid)
    #expect(shape.invalidReason?.contains(word) == true, "\(shape.invalidReason ?? "")")
    #expect(Shape(validating: extents, dtype: .float64) == nil)
  }

  @Test(arguments: [2, -1]) func missingAxesAreNamed(_ axis: Int) async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [axis] in
      let shape: Shape = [3, 4]
      // The index is computed, so that the compiler does not diagnose it.
      _ = shape[axis * shape[0] / 3]
    }
    let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(text.contains("Shape: [3, 4] has no axis \(axis)"), "\(text)")
  }

  @Test func shapesOfMoreThanEightAxesAreInvalid() {
    let long = Shape(repeating: 1, count: 300)
    #expect(long.rank == 8 && long != Shape(repeating: 1, count: 8) && long != Shape(repeating: 1, count: 9))
    #expect(Shape(Array(1...9)).description == "[1, 2, 3, 4, 5, 6, 7, 8, …]")
    #expect(Shape(Array(1...8)).inserting(9, at: 0).invalidReason != nil)
  }

  @Test func multiplyAddsOfEachFamily() {
    #expect(Matmul.multiplyAdds(results: 2 * 3 * 5, terms: 7) == 210)
    let attention = Attention.Geometry(batch: 2, heads: 4, groups: 2, queries: 3, keys: 5, size: 8, width: 6)
    #expect(attention.multiplyAdds(.forward) == 2 * 4 * 3 * 5 * (8 + 6))
    #expect(attention.multiplyAdds(.backward) == 2 * 4 * 3 * 5 * (3 * 8 + 2 * 6))
    let recurrent = Recurrent.Geometry(kind: .gru, times: 3, batch: 2, size: 4)
    #expect(recurrent.multiplyAdds == 3 * 2 * 4 * 3 * 4)
  }

  @Test func windowsReachTheirLastElement() {
    for (count, kernel, stride, dilation) in [(1, 1, 1, 1), (4, 3, 2, 1), (5, 3, 1, 2), (2, 2, 5, 3)] {
      let reach = WindowPositions.reach(of: count, kernel: kernel, stride: stride, dilation: dilation)
      #expect(reach == (count - 1) * stride + (kernel - 1) * dilation + 1)
      for extent in [reach, reach + stride - 1] {
        let positions = WindowPositions(in: extent, kernel: kernel, stride: stride, dilation: dilation)
        #expect(positions.count == count && positions.room >= 0)
      }
    }
  }

  @Test func multiplyAddsDoNotOverflow() {
    let many = SIMD3(repeating: 1 << 20)
    var geometry = ConvolutionGeometry(
      batch: 1, groups: 1, inputChannels: 2, outputChannels: 3, input: [1, 5, 5], kernel: [1, 3, 3], output: [1, 3, 3],
      stride: [1, 1, 1], padding: [0, 0, 0], dilation: [1, 1, 1])
    #expect(geometry.multiplyAdds == 3 * 9 * 2 * 9)
    (geometry.output, geometry.kernel) = (many, many)
    #expect(geometry.multiplyAdds == .max)
  }

  /// Axes are merged if one stride traverses them; axes of extent 1 may have any stride.
  @Test func axesMerge() throws {
    func merged(_ shape: Shape, _ strides: Shape) -> Layout? {
      Layout(shape: shape, strides: strides, offset: 5).mergingAxes(from: 1)
    }
    #expect(merged([2, 3, 4], [12, 4, 1]) == Layout(shape: [2, 12], strides: [12, 1], offset: 5))
    #expect(merged([2, 3, 4], [1, 8, 2]) == Layout(shape: [2, 12], strides: [1, 2], offset: 5))
    #expect(merged([2, 3, 4], [1, 0, 0]) == Layout(shape: [2, 12], strides: [1, 0], offset: 5))
    #expect(merged([2, 3, 1, 4], [12, 4, 77, 1]) == Layout(shape: [2, 12], strides: [12, 1], offset: 5))
    #expect(merged([2, 1, 1], [1, 7, 9]) == Layout(shape: [2, 1], strides: [1, 0], offset: 5))
    #expect(merged([2, 3, 4], [12, 1, 3]) == nil && merged([2, 3, 4], [12, 0, 1]) == nil)
  }
}
