import Glibc

/// An affine map about the center of an image, from output coordinates to source coordinates.
///
/// It is the inverse of torchvision's `affine`, which scales, shears, rotates and then translates an image. Rotation
/// and shear angles are in degrees, clockwise; the translation is in pixels.
struct AffineMap {
  /// The output point `(x, y)` is mapped to the source point `(xx · x + xy · y + x0, yx · x + yy · y + y0)`. The
  /// coordinates of both points are relative to the center.
  let xx, xy, x0, yx, yy, y0: Double

  init(angle: Double, right: Double = 0, down: Double = 0, scale: Double = 1, shearX: Double = 0, shearY: Double = 0) {
    let (turn, first, second) = (angle * .pi / 180, shearX * .pi / 180, shearY * .pi / 180)
    let a = cos(turn - second) / cos(second)
    let b = -cos(turn - second) * tan(first) / cos(second) - sin(turn)
    let c = sin(turn - second) / cos(second)
    let d = -sin(turn - second) * tan(first) / cos(second) + cos(turn)
    // The inverse of the rotation and shear (determinant 1), divided by the scale.
    (xx, xy, yx, yy) = (d / scale, -b / scale, -c / scale, a / scale)
    x0 = -xx * right - xy * down
    y0 = -yx * right - yy * down
  }
}

extension Image {
  /// The image resampled through a map with bilinear interpolation; pixels beyond the edges are `fill`.
  func mapped(by map: AffineMap, fill: UInt8) -> Image {
    let sampler = AffineSampler(image: size, channels: channels, fill: Int32(fill))
    return Image(size, channels: channels) { target in
      pixels.withUnsafeBufferPointer { source in
        for y in 0..<height {
          sampler.run(map, row: y, from: source.baseAddress!, to: target + y * width * channels)
        }
      }
    }
  }
}

/// Resamples one row of an image through a map.
private struct AffineSampler {
  let height, width, channels: Int
  let fill: Int32

  init(image: ImageSize, channels: Int, fill: Int32) {
    (height, width, self.channels, self.fill) = (image.height, image.width, channels, fill)
  }

  /// The interpolation weight 1, in fixed point with 11 fractional bits. So the product of two weights and a byte fits
  /// 32 bits.
  private static let one: Int32 = 1 << 11

  /// A coordinate relative to the center of the first pixel, in fixed point with 32 fractional bits. The other 32 bits
  /// are enough for coordinates far outside the image.
  private static func fixed(_ position: Double) -> Int { Int((position * 0x1p32).rounded()) }

  /// The weight of the right or lower pixel, as a fraction of `one`: the first 11 fractional bits of a coordinate.
  private static func share(_ position: Int) -> Int32 { Int32(truncatingIfNeeded: (position >> 21) & 0x7ff) }

  func run(_ map: AffineMap, row: Int, from source: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<UInt8>) {
    let (middleX, middleY) = (Double(width) / 2, Double(height) / 2)
    let (firstX, y) = (0.5 - middleX, Double(row) + 0.5 - middleY)
    var oldX = AffineSampler.fixed(map.xx * firstX + map.xy * y + map.x0 + middleX - 0.5)
    var oldY = AffineSampler.fixed(map.yx * firstX + map.yy * y + map.y0 + middleY - 0.5)
    let (stepX, stepY) = (AffineSampler.fixed(map.xx), AffineSampler.fixed(map.yx))
    let rowBytes = width * channels
    for column in 0..<width {
      let (left, top) = (oldX >> 32, oldY >> 32)
      let (right, lower) = (AffineSampler.share(oldX), AffineSampler.share(oldY))
      let new = target + column * channels
      if left >= 0, top >= 0, left < width - 1, top < height - 1 {
        let position = source + top * rowBytes + left * channels
        for channel in 0..<channels {
          let (one, other) = (position + channel, position + channel + rowBytes)
          let upper = (Int32(one[0]), Int32(one[channels]))
          let under = (Int32(other[0]), Int32(other[channels]))
          new[channel] = AffineSampler.mixed(upper, under, right, lower)
        }
      } else {
        for channel in 0..<channels {
          let upper = (pixel(source, top, left, channel), pixel(source, top, left + 1, channel))
          let under = (pixel(source, top + 1, left, channel), pixel(source, top + 1, left + 1, channel))
          new[channel] = AffineSampler.mixed(upper, under, right, lower)
        }
      }
      oldX &+= stepX
      oldY &+= stepY
    }
  }

  private func pixel(_ source: UnsafePointer<UInt8>, _ y: Int, _ x: Int, _ channel: Int) -> Int32 {
    guard y >= 0, y < height, x >= 0, x < width else { return fill }
    return Int32(source[(y * width + x) * channels + channel])
  }

  @inline(__always)
  private static func mixed(
    _ upper: (left: Int32, right: Int32), _ under: (left: Int32, right: Int32), _ right: Int32, _ lower: Int32
  ) -> UInt8 {
    let above = upper.left &* (one &- right) &+ upper.right &* right
    let below = under.left &* (one &- right) &+ under.right &* right
    let sum = above &* (one &- lower) &+ below &* lower
    return UInt8(truncatingIfNeeded: (sum &+ (1 << 21)) >> 22)
  }
}
