import ApusSystem

/// The downsampling filter of a pyramid.
public enum PyramidFilter: String, Hashable, Sendable, CaseIterable {
  /// Binomial weights `1 4 6 4 1` along both axes around every second pixel, with mirrored edges (Burt, Adelson, 1983).
  case gaussian
  /// The mean of 2x2 pixels; at the edge of an odd extent, the mean of the pixels inside the image.
  case box
}

extension Image {
  /// The image pyramid, starting with the image itself: each level halves both extents, rounded up.
  ///
  /// - Parameter levels: the largest number of levels; a level of one pixel is always the last
  public func pyramid(levels: Int, filter: PyramidFilter = .gaussian) -> [Image] {
    var result = [self]
    while result.count < levels, let last = result.last, last.height > 1 || last.width > 1 {
      result.append(filter == .gaussian ? last.halvedByBinomial : last.halvedByMean)
    }
    return result
  }

  private var halfSize: ImageSize { ImageSize(height: ceilDivide(height, 2), width: ceilDivide(width, 2)) }

  private var halvedByBinomial: Image {
    let (size, weights) = (halfSize, [1, 4, 6, 4, 1])
    let row = width * channels
    return Image(size, channels: channels) { target in
      pixels.withUnsafeBufferPointer { source in
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: row) { sums in
          for y in 0..<size.height {
            // The sums of the vertical pass are not rounded. After the horizontal pass, the sums are at most 256 · 255,
            // which fits 32 bits.
            sums.update(repeating: 0)
            for (tap, weight) in weights.enumerated() {
              let old = (EdgeMode.reflect.source(of: 2 * y + tap - 2, height) ?? 0) * row
              for index in 0..<row { sums[index] += Int32(weight) * Int32(source[old + index]) }
            }
            for x in 0..<size.width {
              let positions = (-2...2).map { EdgeMode.reflect.source(of: 2 * x + $0, width) ?? 0 }
              for channel in 0..<channels {
                var sum: Int32 = 128
                for tap in 0..<5 { sum += Int32(weights[tap]) * sums[positions[tap] * channels + channel] }
                target[(y * size.width + x) * channels + channel] = UInt8(sum >> 8)
              }
            }
          }
        }
      }
    }
  }

  private var halvedByMean: Image {
    let size = halfSize
    return Image(size, channels: channels) { target in
      pixels.withUnsafeBufferPointer { source in
        for y in 0..<size.height {
          for x in 0..<size.width {
            let (rows, columns) = (2 * y..<min(2 * y + 2, height), 2 * x..<min(2 * x + 2, width))
            let count = rows.count * columns.count
            for channel in 0..<channels {
              var sum = count / 2
              for row in rows {
                for column in columns { sum += Int(source[(row * width + column) * channels + channel]) }
              }
              target[(y * size.width + x) * channels + channel] = UInt8(sum / count)
            }
          }
        }
      }
    }
  }
}
