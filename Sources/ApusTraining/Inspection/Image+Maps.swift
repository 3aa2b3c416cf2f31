import ApusData
import ApusSystem

/// Images made from numbers.
extension Image {
  /// A grayscale image. Without a `range`, the smallest finite number is black and the largest is white. NaN and
  /// infinities are black.
  /// - Parameter values: `[height, width]`, row-major.
  public static func shades(
    of values: some RandomAccessCollection<Float>, height: Int, width: Int, range: ClosedRange<Float>? = nil
  ) -> Image {
    let scale = ByteScale(values, range)
    return Image(height: height, width: width, channels: 1, pixels: values.map { scale($0) })
  }

  /// An image of `count` channels. Three channels are red, green and blue, on the same scale. For other counts, the
  /// mean of the channels is shown in gray.
  /// - Parameters:
  ///   - values: `[channels, height, width]`, row-major.
  ///   - range: the numbers for black and white; `nil` for the smallest and the largest number.
  public static func channels(
    _ values: some RandomAccessCollection<Float>, count: Int, height: Int, width: Int, range: ClosedRange<Float>? = nil
  ) -> Image {
    let values = Array(values)
    let area = height * width
    guard count == 3 else {
      let means = (0..<area).map { position in
        (0..<count).reduce(0) { $0 + values[$1 * area + position] } / Float(max(count, 1))
      }
      return shades(of: means, height: height, width: width, range: range)
    }
    let scale = ByteScale(values, range)
    let pixels = (0..<area).flatMap { position in (0..<3).map { scale(values[$0 * area + position]) } }
    return Image(height: height, width: width, channels: 3, pixels: pixels)
  }

  /// This image in gray, covered by a map in colors from black for 0 through red to yellow for 1. The larger the
  /// number, the less of the image is visible.
  /// - Parameter map: a number in `0 ... 1` for each pixel of the image, `[height, width]`.
  public func overlaid(with map: some RandomAccessCollection<Float>) -> Image {
    let map = Array(map)
    guard map.count == height * width else { fatalError("overlaid: \(map.count) numbers for \(height) x \(width)") }
    var result: [UInt8] = []
    result.reserveCapacity(3 * map.count)
    for (position, value) in map.enumerated() {
      let share = value.isFinite ? min(max(value, 0), 1) : 0
      let own = pixels[position * channels..<(position + 1) * channels]
      let gray = Float(own.reduce(0) { $0 + Int($1) }) / Float(channels)
      let color = Image.warm(share)
      let opacity = 0.75 * share.squareRoot()
      for part in [color.red, color.green, color.blue] {
        result.append(UInt8((gray * (1 - opacity) + part * opacity).rounded()))
      }
    }
    return Image(height: height, width: width, channels: 3, pixels: result)
  }

  /// The color for a number in `0 ... 1`, with components in `0 ... 255`. The lightness increases with the number
  /// (after the color map "inferno" by van der Walt and Smith, 2015).
  private static func warm(_ share: Float) -> (red: Float, green: Float, blue: Float) {
    let stops: [(Float, Float, Float)] = [
      (0, 0, 4), (40, 11, 84), (101, 21, 110), (159, 42, 99), (212, 72, 66), (245, 125, 21), (250, 193, 39),
      (252, 255, 164),
    ]
    let position = share * Float(stops.count - 1)
    let index = min(Int(position), stops.count - 2)
    let rest = position - Float(index)
    let (low, high) = (stops[index], stops[index + 1])
    return (
      low.0.lerp(to: high.0, rest), low.1.lerp(to: high.1, rest), low.2.lerp(to: high.2, rest)
    )
  }
}

/// Maps the numbers of a range to bytes.
private struct ByteScale {
  private let low: Float
  private let factor: Float

  init(_ values: some Sequence<Float>, _ range: ClosedRange<Float>?) {
    var (low, high) = (Float.infinity, -Float.infinity)
    if let range {
      (low, high) = (range.lowerBound, range.upperBound)
    } else {
      for value in values where value.isFinite { (low, high) = (min(low, value), max(high, value)) }
    }
    self.low = low
    factor = high > low && (high - low).isFinite ? 255 / (high - low) : 0
  }

  func callAsFunction(_ value: Float) -> UInt8 {
    value.isFinite ? ((value - low) * factor).nearestByte : 0
  }
}
