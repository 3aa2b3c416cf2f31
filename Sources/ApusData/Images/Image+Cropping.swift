/// The values that stand for the pixels beyond the edges of an image.
public enum EdgeMode: Hashable, Sendable {
  /// One value in all channels.
  case constant(UInt8)
  /// The mirrored image, without repeating the outermost pixels: `d c b | a b c d | c b a`.
  case reflect
  /// The repeated outermost pixels: `a a a | a b c d | d d d`.
  case replicate

  /// The index in `0 ..< count` of the pixel to use at index `position`; `nil` if the constant is to be used.
  func source(of position: Int, _ count: Int) -> Int? {
    if position >= 0, position < count { return position }
    switch self {
    case .constant: return nil
    case .replicate: return position < 0 ? 0 : count - 1
    case .reflect:
      let period = max(1, 2 * (count - 1))
      let rest = ((position % period) + period) % period
      return min(rest, period - rest)
    }
  }

  /// The words that stand for the mode in the text of a transform; empty for black.
  var suffix: String {
    switch self {
    case .constant(let value): value == 0 ? "" : " fill \(value)"
    case .reflect: " reflect"
    case .replicate: " replicate"
    }
  }
}

extension TransformWords {
  /// Parses `reflect`, `replicate` or `fill` with a value; black if none is present.
  mutating func edgeMode() throws(DataError) -> EdgeMode {
    if take("reflect") { return .reflect }
    if take("replicate") { return .replicate }
    return .constant(try fill())
  }

  /// Parses the value after `fill`; 0 if it is absent.
  mutating func fill() throws(DataError) -> UInt8 {
    UInt8(try wholeNumber(after: "fill", in: 0...255) ?? 0)
  }
}

extension Image {
  /// A region of the image. The region may extend beyond the image on any side.
  ///
  /// - Parameters:
  ///   - top: the first row of the region in the image; may be negative
  ///   - left: the first column of the region; may be negative
  ///   - part: the size of the region
  ///   - edges: the pixels beyond the edges of the image
  public func cropped(
    top: Int, left: Int, _ part: ImageSize, edges: EdgeMode = .constant(0)
  ) -> Image {
    if top == 0, left == 0, part == size { return self }
    // Columns `first ..< last` of the region are inside the image, the others are beyond its edges.
    let first = min(max(0, -left), part.width)
    let last = max(first, min(part.width, width - left))
    let fill: UInt8 = if case .constant(let value) = edges { value } else { 0 }
    let rowBytes = part.width * channels
    return Image(part, channels: channels) { target in
      pixels.withUnsafeBufferPointer { source in
        for y in 0..<part.height {
          let row = target + y * rowBytes
          guard let old = edges.source(of: top + y, height) else {
            row.update(repeating: fill, count: rowBytes)
            continue
          }
          let start = source.baseAddress! + old * width * channels
          if first < last {
            (row + first * channels).update(from: start + (left + first) * channels, count: (last - first) * channels)
          }
          for columns in [0..<first, last..<part.width] {
            for x in columns {
              let position = edges.source(of: left + x, width)
              for channel in 0..<channels {
                row[x * channels + channel] = position.map { start[$0 * channels + channel] } ?? fill
              }
            }
          }
        }
      }
    }
  }

  /// The central region of the given size; a smaller image is padded on both sides.
  public func centerCropped(to size: ImageSize, edges: EdgeMode = .constant(0)) -> Image {
    // Halves are rounded to even, as in Python.
    let top = (Double(height - size.height) / 2).rounded(.toNearestOrEven)
    let left = (Double(width - size.width) / 2).rounded(.toNearestOrEven)
    return cropped(top: Int(top), left: Int(left), size, edges: edges)
  }

  /// All complete patches of the given size in row-major order, one every `stride` pixels along both axes.
  /// - Precondition: `stride` is positive.
  public func patches(_ size: ImageSize, stride step: Int) -> [Image] {
    stride(from: 0, through: height - size.height, by: step).flatMap { top in
      stride(from: 0, through: width - size.width, by: step).map { cropped(top: top, left: $0, size) }
    }
  }
}
