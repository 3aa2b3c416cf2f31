/// What lies beyond the edges of a picture.
public enum EdgeMode: Hashable, Sendable {
  /// One value in all channels.
  case constant(UInt8)
  /// The picture mirrored, without its outermost pixels twice: `d c b | a b c d | c b a`.
  case reflect
  /// The outermost pixels again: `a a a | a b c d | d d d`.
  case replicate

  /// The place in `0 ..< count` whose pixel stands at `place`; `nil` for a constant.
  func source(of place: Int, _ count: Int) -> Int? {
    if place >= 0, place < count { return place }
    switch self {
    case .constant: return nil
    case .replicate: return place < 0 ? 0 : count - 1
    case .reflect:
      let period = max(1, 2 * (count - 1))
      let rest = ((place % period) + period) % period
      return min(rest, period - rest)
    }
  }

  /// A word for it, if it is not black.
  var suffix: String {
    switch self {
    case .constant(let value): value == 0 ? "" : " fill \(value)"
    case .reflect: " reflect"
    case .replicate: " replicate"
    }
  }
}

extension TransformWords {
  /// `reflect`, `replicate` or `fill` and a value, if one is there; black otherwise.
  mutating func edgeMode() throws(DataError) -> EdgeMode {
    if take("reflect") { return .reflect }
    if take("replicate") { return .replicate }
    return .constant(try fill())
  }

  /// The value behind `fill`, or 0.
  mutating func fill() throws(DataError) -> UInt8 {
    UInt8(try wholeNumber(after: "fill", in: 0...255) ?? 0)
  }
}

extension Image {
  /// A part of the picture, which may reach beyond it on any side.
  ///
  /// - Parameters:
  ///   - top: where the part begins, in rows of the picture; may be negative
  ///   - left: where it begins, in columns
  ///   - edges: what lies beyond the picture
  public func cropped(
    top: Int, left: Int, _ part: ImageSize, edges: EdgeMode = .constant(0)
  ) -> Image {
    if top == 0, left == 0, part == size { return self }
    // The columns that the picture has itself, and those on both sides that it does not.
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
              let place = edges.source(of: left + x, width)
              for channel in 0..<channels {
                row[x * channels + channel] = place.map { start[$0 * channels + channel] } ?? fill
              }
            }
          }
        }
      }
    }
  }

  /// The part of a size in the middle; where the picture is smaller, what lies beyond its edges on both sides.
  public func centerCropped(to size: ImageSize, edges: EdgeMode = .constant(0)) -> Image {
    // Half a pixel too many goes to the even side, as Python rounds.
    let top = (Double(height - size.height) / 2).rounded(.toNearestOrEven)
    let left = (Double(width - size.width) / 2).rounded(.toNearestOrEven)
    return cropped(top: Int(top), left: Int(left), size, edges: edges)
  }

  /// Equal parts in rows, from the top left on: one every `stride` pixels each way, only whole ones.
  /// - Precondition: `stride` is positive.
  public func patches(_ size: ImageSize, stride step: Int) -> [Image] {
    stride(from: 0, through: height - size.height, by: step).flatMap { top in
      stride(from: 0, through: width - size.width, by: step).map { cropped(top: top, left: $0, size) }
    }
  }
}
