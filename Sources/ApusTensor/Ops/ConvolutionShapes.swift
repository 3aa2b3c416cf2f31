import ApusDevice

/// The positions of a sliding window along one axis.
package typealias WindowPositions = ApusDevice.WindowPositions

/// The sliding window of a convolution or pooling along three spatial axes. If a tensor has fewer, the leading axes are
/// missing: the window has stride 1, dilation 1 and no padding along them.
struct Window {
  var stride: SIMD3<Int>
  var before: SIMD3<Int>
  var after: SIMD3<Int>
  var dilation: SIMD3<Int>

  init(
    _ name: String, rank: Int, stride: [Int], padding: [(before: Int, after: Int)], dilation: [Int]
  ) throws(ShapeError) {
    self.stride = try Window.spread(name, "stride", stride, rank, fill: 1)
    before = try Window.spread(name, "padding", padding.map(\.before), rank, fill: 0)
    after = try Window.spread(name, "padding", padding.map(\.after), rank, fill: 0)
    self.dilation = try Window.spread(name, "dilation", dilation, rank, fill: 1)
    for axis in 0..<3 where self.stride[axis] < 1 || self.dilation[axis] < 1 {
      throw ShapeError(name, "stride \(stride) and dilation \(dilation) must be at least 1")
    }
    for axis in 0..<3 where before[axis] < 0 || after[axis] < 0 {
      throw ShapeError(name, "padding \(padding) must not be negative")
    }
  }

  /// Expands one value for all axes, or one for each of `rank` axes, to a value for each of three axes.
  static func spread(
    _ name: String, _ what: String, _ values: [Int], _ rank: Int, fill: Int
  ) throws(ShapeError) -> SIMD3<Int> {
    guard values.count == 1 || values.count == rank else {
      throw ShapeError(name, "\(what) \(values) needs one number, or one for each of \(rank) spatial axes")
    }
    var result = SIMD3(repeating: fill)
    // With this limit, products of two values do not overflow.
    for value in values where value.magnitude > Int32.max {
      throw ShapeError(name, "\(what) \(values) is beyond \(Int32.max)")
    }
    for axis in 0..<rank { result[3 - rank + axis] = values.count == 1 ? values[0] : values[axis] }
    return result
  }

  /// The spatial axes of `shape` (all but the first two), extended to three.
  static func spatial(_ shape: Shape) -> SIMD3<Int> {
    var result = SIMD3(repeating: 1)
    let rank = shape.rank - 2
    for axis in 0..<rank { result[3 - rank + axis] = shape[2 + axis] }
    return result
  }

  /// The number of windows along each axis. With `roundsUp` (PyTorch's `ceil_mode`), also counts a last window that
  /// extends past the padding at the end, if it starts before this padding.
  func outputs(
    _ name: String, input: SIMD3<Int>, kernel: SIMD3<Int>, roundsUp: Bool = false
  ) throws(ShapeError) -> SIMD3<Int> {
    var result = SIMD3(repeating: 1)
    for axis in 0..<3 {
      guard (1...Int(Int32.max)).contains(kernel[axis]) else {
        throw ShapeError(name, "a window of \(kernel[axis]) elements is not between 1 and \(Int32.max)")
      }
      let positions = WindowPositions(
        in: input[axis] + before[axis] + after[axis], kernel: kernel[axis], stride: stride[axis],
        dilation: dilation[axis])
      guard positions.room >= 0 else {
        throw ShapeError(
          name,
          "a window of \(positions.span) does not fit in \(input[axis]) elements with \(before[axis]) and \(after[axis]) of padding"
        )
      }
      result[axis] = positions.count
      if roundsUp, positions.room % stride[axis] != 0,
        result[axis] * stride[axis] < input[axis] + before[axis]
      {
        result[axis] += 1
      }
    }
    return result
  }
}

extension ConvolutionBox {
  /// The shape with the extents `first` and `second`, and then the last `rank` extents of `spatial`.
  static func shape(_ first: Int, _ second: Int, _ spatial: SIMD3<Int>, rank: Int) -> Shape {
    var shape: Shape = [first, second]
    for axis in (3 - rank)..<3 { shape.append(spatial[axis]) }
    return shape
  }

  private static func sound(_ name: String, _ shape: Shape) throws(ShapeError) -> Shape {
    if let reason = shape.invalidReason { throw ShapeError(name, reason) }
    return shape
  }

  private static func checkRanks(_ name: String, _ x: Shape, _ w: Shape) throws(ShapeError) {
    guard (3...5).contains(x.rank), w.rank == x.rank else {
      throw ShapeError(
        name, "input \(x) must be [batch, channels, 1 to 3 spatial axes] and weight \(w) of the same rank")
    }
  }

  static func forward(
    _ x: Shape, _ w: Shape, stride: [Int], padding: [(before: Int, after: Int)], dilation: [Int],
    groups: Int
  ) throws(ShapeError) -> ConvolutionBox {
    let name = "convolved"
    try checkRanks(name, x, w)
    guard groups > 0, x[1] % groups == 0, w[0] % groups == 0, x[1] / groups == w[1] else {
      throw ShapeError(
        name,
        "input \(x) has \(x[1]) channels, but weight \(w) takes \(w[1]) in each of \(groups) group(s); "
          + "the number of groups must also divide the \(w[0]) output channels")
    }
    let rank = x.rank - 2
    let window = try Window(name, rank: rank, stride: stride, padding: padding, dilation: dilation)
    let (input, kernel) = (Window.spatial(x), Window.spatial(w))
    let output = try window.outputs(name, input: input, kernel: kernel)
    return ConvolutionBox(
      pass: .output,
      geometry: ConvolutionGeometry(
        batch: x[0], groups: groups, inputChannels: x[1], outputChannels: w[0], input: input,
        kernel: kernel, output: output, stride: window.stride, padding: window.before,
        dilation: window.dilation),
      inputPrecision: PrecisionScope.current.inputPrecision,
      shape: try sound(name, shape(x[0], w[0], output, rank: rank)))
  }

  /// A transposed convolution is the input gradient of the convolution whose output has the shape `y`.
  static func transposed(
    _ y: Shape, _ w: Shape, stride: [Int], padding: [(before: Int, after: Int)],
    outputPadding: [Int], dilation: [Int], groups: Int
  ) throws(ShapeError) -> ConvolutionBox {
    let name = "transposeConvolved"
    try checkRanks(name, y, w)
    guard groups > 0, y[1] == w[0], w[0] % groups == 0 else {
      throw ShapeError(name, "input \(y) has \(y[1]) channels, weight \(w) takes \(w[0]) in \(groups) group(s)")
    }
    let rank = y.rank - 2
    let window = try Window(name, rank: rank, stride: stride, padding: padding, dilation: dilation)
    let extra = try Window.spread(name, "outputPadding", outputPadding, rank, fill: 0)
    let (output, kernel) = (Window.spatial(y), Window.spatial(w))
    var input = SIMD3(repeating: 1)
    for axis in 0..<3 {
      guard (1...Int(Int32.max)).contains(output[axis]), (1...Int(Int32.max)).contains(kernel[axis]) else {
        throw ShapeError(name, "the spatial axes of \(y) and \(w) are not between 1 and \(Int32.max)")
      }
      input[axis] =
        WindowPositions.reach(
          of: output[axis], kernel: kernel[axis], stride: window.stride[axis], dilation: window.dilation[axis])
        - window.before[axis] - window.after[axis] + extra[axis]
      guard input[axis] > 0, extra[axis] >= 0, extra[axis] < max(window.stride[axis], window.dilation[axis])
      else {
        throw ShapeError(
          name,
          "input \(y) with weight \(w) gives \(input[axis]) elements along an axis, at least 1 are needed; outputPadding "
            + "\(outputPadding) must be at least 0 and below the larger of stride and dilation"
        )
      }
    }
    let channels = w[1].saturatingProduct(groups)
    return ConvolutionBox(
      pass: .inputGradient,
      geometry: ConvolutionGeometry(
        batch: y[0], groups: groups, inputChannels: channels, outputChannels: y[1], input: input,
        kernel: kernel, output: output, stride: window.stride, padding: window.before,
        dilation: window.dilation),
      inputPrecision: PrecisionScope.current.inputPrecision,
      shape: try sound(name, shape(y[0], channels, input, rank: rank)))
  }
}
