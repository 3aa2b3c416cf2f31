extension Image {
  /// Multiplies all values: a factor of 0 gives black.
  public mutating func changeBrightness(by factor: Double) { replaceValues { factor * Double($0) } }

  /// Scales the distance of all values from the mean luma: a factor of 0 gives a uniform gray.
  public mutating func changeContrast(by factor: Double) {
    let mean = (1 - factor) * meanLuma
    replaceValues { factor * Double($0) + mean }
  }

  /// Scales the distance of all colors from their luma: a factor of 0 gives a gray image.
  public mutating func changeSaturation(by factor: Double) {
    guard channels == 3 else { return }
    // The factor in fixed point with 12 fractional bits.
    let share = Int32((min(factor, 1e4) * 4096).rounded())
    let area = height * width
    pixels.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      for position in 0..<area {
        let pixel = start + 3 * position
        let gray = Int32(Image.luma(pixel[0], pixel[1], pixel[2]))
        for channel in 0..<3 {
          let value = gray &+ ((share &* (Int32(pixel[channel]) &- gray) &+ 2048) >> 12)
          pixel[channel] = UInt8(truncatingIfNeeded: max(0, min(255, value)))
        }
      }
    }
  }

  /// Rotates all hues by a fraction of a full turn, in HSV space (Smith, 1978).
  public mutating func turnHues(by turn: Double) {
    guard channels == 3 else { return }
    // The rotation in sixths of a turn, in 0 ... 6.
    let shift = Float(6 * (turn - turn.rounded(.down)))
    let area = height * width
    pixels.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      for position in 0..<area { Image.turnHue(start + 3 * position, shift) }
    }
  }

  @inline(__always)
  private static func turnHue(_ pixel: UnsafeMutablePointer<UInt8>, _ shift: Float) {
    let (red, green, blue) = (Float(pixel[0]), Float(pixel[1]), Float(pixel[2]))
    let (high, low) = (max(red, max(green, blue)), min(red, min(green, blue)))
    let spread = high - low
    // The code selects values instead of branching, because the processor cannot predict which primary is strongest.
    // For grays, `difference` is 0.
    let isRed = high == red
    let isGreen = high == green
    let difference = isRed ? green - blue : isGreen ? blue - red : red - green
    let base: Float = isRed ? 0 : isGreen ? 2 : 4
    var hue = difference / max(spread, 1) + base + shift
    hue += hue < 0 ? 6 : 0
    hue -= hue >= 6 ? 6 : 0
    // Each primary has the value `high` within one sixth of a turn of its own hue, and falls to `low` over the next
    // sixth.
    func level(_ distance: Float) -> UInt8 {
      let fall = min(max(abs(distance) - 1, 0), 1)
      return (high - fall * spread).nearestByteInRange
    }
    pixel[0] = level(hue > 3 ? hue - 6 : hue)
    pixel[1] = level(hue - 2)
    pixel[2] = level(hue - 4)
  }

  /// Replaces every value `v` by `function(v)`, rounded and clamped to 0...255.
  private mutating func replaceValues(_ function: (Int) -> Double) {
    let table = (0..<256).map { function($0).nearestByte }
    pixels.withUnsafeMutableBufferPointer { buffer in
      table.withUnsafeBufferPointer { table in
        for index in buffer.indices { buffer[index] = table[Int(buffer[index])] }
      }
    }
  }

  /// The mean luma of all pixels, in `0 ... 255`.
  private var meanLuma: Double {
    var sum = 0
    pixels.withUnsafeBufferPointer { source in
      if channels == 3 {
        for position in 0..<height * width {
          sum += Int(Image.luma(source[3 * position], source[3 * position + 1], source[3 * position + 2]))
        }
      } else {
        for value in source { sum += Int(value) }
      }
    }
    return Double(sum) / Double(height * width)
  }
}

extension BinaryFloatingPoint {
  /// The number rounded and clamped to `0 ... 255`.
  @inlinable
  package var nearestByte: UInt8 { UInt8(Swift.min(Swift.max(self, 0), 255).rounded()) }
}

extension Float {
  /// The nearest integer of a number in `0 ... 255`; of two equally near integers, the even one. Adding 1.5 · 2²³
  /// rounds the number to this integer, and the lowest bits of the sum hold the integer.
  @inline(__always)
  var nearestByteInRange: UInt8 { UInt8(truncatingIfNeeded: (self + 12_582_912).bitPattern) }
}
