import Glibc

/// The filter for resizing an image.
public enum ResampleFilter: String, Hashable, Sendable, CaseIterable {
  /// Bilinear with antialiasing: when downsizing, the filter covers all source pixels of an output pixel, as in
  /// Pillow's and torchvision's `BILINEAR`.
  case antialias
  /// Bilinear interpolation between the two nearest pixels along each axis, also when downsizing: `F.interpolate` of
  /// PyTorch with `mode="bilinear", align_corners=False`.
  case bilinear
  /// The mean of the source pixels whose centers are inside the output pixel: Pillow's `BOX`.
  case box
  /// Cubic (Keys, 1981; a = −0.5), with antialiasing: PyTorch's `mode="bicubic", antialias=True`. Pillow's `BICUBIC`
  /// differs: it also clamps to 0 ... 255 between the passes along the two axes.
  case bicubic

  /// The radius of the filter in pixels of the source. When downsizing with a filter other than `bilinear`, the radius
  /// is in pixels of the output.
  fileprivate var support: Double {
    switch self {
    case .antialias, .bilinear: 1
    case .box: 0.5
    case .bicubic: 2
    }
  }

  fileprivate func weight(_ distance: Double) -> Double {
    let x = abs(distance)
    switch self {
    case .antialias, .bilinear: return max(0, 1 - x)
    case .box: return distance > -0.5 && distance <= 0.5 ? 1 : 0
    case .bicubic:
      if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
    }
  }

  /// The word that selects the filter in the text of a transform, such as ` box`; empty for the default.
  var suffix: String { self == .antialias ? "" : " " + rawValue }
}

extension TransformWords {
  /// Parses the name of a filter; `antialias` if none is present.
  mutating func filter() -> ResampleFilter {
    var filter = ResampleFilter.antialias
    for other in ResampleFilter.allCases where take(other.rawValue) { filter = other }
    return filter
  }
}

/// The resampling of one axis: each output pixel is the weighted sum of `taps` consecutive source pixels.
struct ResampledAxis {
  /// The number of source pixels per output pixel; some weights may be 0.
  let taps: Int
  /// The first source pixel of each output pixel.
  let starts: [Int]
  /// `[count, taps]`
  let weights: [Float]

  /// Computes the weights to resample `source` pixels to `count`.
  init(_ filter: ResampleFilter, source: Int, count: Int) {
    let scale = Double(source) / Double(count)
    let stretch = filter == .bilinear ? 1 : max(scale, 1)
    let support = filter.support * stretch
    let room = min(source, 2 * Int(support.rounded(.up)) + 1)
    var firsts = [Int](repeating: 0, count: count)
    var values = [Double](repeating: 0, count: count * room)
    var longest = 1
    for new in 0..<count {
      var center = (Double(new) + 0.5) * scale
      // Without antialiasing, the outermost pixels are repeated beyond the edge.
      if filter == .bilinear { center = min(max(center, 0.5), Double(source) - 0.5) }
      var first = max(0, Int(center - support + 0.5))
      var end = min(source, Int(center + support + 0.5))
      func weight(_ old: Int) -> Double { filter.weight((Double(old) - center + 0.5) / stretch) }
      while end - first > 1, weight(first) == 0 { first += 1 }
      while end - first > 1, weight(end - 1) == 0 { end -= 1 }
      let sum = (first..<end).reduce(0.0) { $0 + weight($1) }
      for old in first..<end { values[new * room + old - first] = sum == 0 ? 1 : weight(old) / sum }
      firsts[new] = first
      longest = max(longest, end - first)
    }
    taps = longest
    // Every output pixel reads `taps` source pixels. Ranges that would end beyond the source begin earlier, with
    // weights of 0.
    starts = firsts.map { min($0, source - longest) }
    var packed = [Float](repeating: 0, count: count * longest)
    for new in 0..<count {
      let shift = firsts[new] - starts[new]
      for tap in 0..<longest - shift { packed[new * longest + tap + shift] = Float(values[new * room + tap]) }
    }
    weights = packed
  }
}

extension Image {
  /// The image resized to another size.
  public func resized(to size: ImageSize, filter: ResampleFilter = .antialias) -> Image {
    resized(top: 0, left: 0, self.size, to: size, filter: filter)
  }

  /// A region of the image resized to another size; pixels outside the region have no influence.
  /// - Precondition: the region is inside the image.
  func resized(top: Int, left: Int, _ part: ImageSize, to size: ImageSize, filter: ResampleFilter) -> Image {
    if part == size { return cropped(top: top, left: left, size) }
    let rows = ResampledAxis(filter, source: part.height, count: size.height)
    let columns = ResampledAxis(filter, source: part.width, count: size.width)
    let rowBytes = width * channels
    let start = top * rowBytes + left * channels
    return Image(size, channels: channels) { target in
      pixels.withUnsafeBufferPointer { source in
        Resampler(channels: channels, width: part.width, newWidth: size.width, columns).run(
          rows, from: source.baseAddress! + start, rowBytes: rowBytes, to: target)
      }
    }
  }
}

/// Computes the weighted sums in float32: for each output row, a vertical pass, then a horizontal pass.
private struct Resampler {
  let channels: Int
  let width: Int
  let newWidth: Int
  let columns: ResampledAxis

  init(channels: Int, width: Int, newWidth: Int, _ columns: ResampledAxis) {
    (self.channels, self.width, self.newWidth, self.columns) = (channels, width, newWidth, columns)
  }

  func run(
    _ rows: ResampledAxis, from source: UnsafePointer<UInt8>, rowBytes: Int, to target: UnsafeMutablePointer<UInt8>
  ) {
    let (count, newCount) = (width * channels, newWidth * channels)
    // RGB pixels are loaded and stored as four values, one more than a pixel has. So `row` and `newRow` need room at
    // their ends.
    withUnsafeTemporaryAllocation(of: Float.self, capacity: count + newCount + 8) { room in
      let row = room.baseAddress!
      let newRow = row + count + 4
      (row + count).update(repeating: 0, count: 4)
      for new in rows.starts.indices {
        let first = source + rows.starts[new] * rowBytes
        rows.weights.withUnsafeBufferPointer { weights in
          sum(first, rowBytes, weights.baseAddress! + new * rows.taps, rows.taps, count, into: row)
        }
        if channels == 3 { alongColors(row, newRow) } else { alongGray(row, newRow) }
        store(newRow, target + new * newCount, newCount)
      }
    }
  }

  /// Computes the weighted sum of rows, `Σ weights[k] · source[k]`.
  private func sum(
    _ source: UnsafePointer<UInt8>, _ rowBytes: Int, _ weights: UnsafePointer<Float>, _ taps: Int, _ count: Int,
    into row: UnsafeMutablePointer<Float>
  ) {
    var tap = 1
    if taps == 1 {
      let weight = weights[0]
      for index in 0..<count { row[index] = weight * Float(source[index]) }
    } else {
      let (one, other) = (weights[0], weights[1])
      let next = source + rowBytes
      for index in 0..<count { row[index] = one * Float(source[index]) + other * Float(next[index]) }
      tap = 2
    }
    while tap + 1 < taps {
      let (one, other) = (weights[tap], weights[tap + 1])
      let (first, next) = (source + tap * rowBytes, source + (tap + 1) * rowBytes)
      for index in 0..<count { row[index] += one * Float(first[index]) + other * Float(next[index]) }
      tap += 2
    }
    if tap < taps {
      let weight = weights[tap]
      let first = source + tap * rowBytes
      for index in 0..<count { row[index] += weight * Float(first[index]) }
    }
  }

  private func alongColors(_ row: UnsafeMutablePointer<Float>, _ newRow: UnsafeMutablePointer<Float>) {
    let (source, target) = (UnsafeRawPointer(row), UnsafeMutableRawPointer(newRow))
    let taps = columns.taps
    columns.starts.withUnsafeBufferPointer { starts in
      columns.weights.withUnsafeBufferPointer { weights in
        for new in 0..<newWidth {
          let position = source + 12 * starts[new]
          var sum = position.loadUnaligned(as: SIMD4<Float>.self) * weights[new * taps]
          for tap in 1..<max(taps, 1) {
            sum += (position + 12 * tap).loadUnaligned(as: SIMD4<Float>.self) * weights[new * taps + tap]
          }
          target.storeBytes(of: sum, toByteOffset: 12 * new, as: SIMD4<Float>.self)
        }
      }
    }
  }

  private func alongGray(_ row: UnsafeMutablePointer<Float>, _ newRow: UnsafeMutablePointer<Float>) {
    let taps = columns.taps
    columns.starts.withUnsafeBufferPointer { starts in
      columns.weights.withUnsafeBufferPointer { weights in
        for new in 0..<newWidth {
          var sum: Float = 0
          for tap in 0..<taps { sum += row[starts[new] + tap] * weights[new * taps + tap] }
          newRow[new] = sum
        }
      }
    }
  }

  /// Clamps and rounds to bytes; cubic sums can exceed the range.
  private func store(_ row: UnsafeMutablePointer<Float>, _ target: UnsafeMutablePointer<UInt8>, _ count: Int) {
    for index in 0..<count {
      target[index] = min(max(row[index], 0), 255).nearestByteInRange
    }
  }
}
