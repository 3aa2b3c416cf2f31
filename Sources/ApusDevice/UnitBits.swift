/// The upper 24 bits of a random word. They decide random events, and `unitFloat` converts them to a number in 0 ..< 1.
package enum UnitBits {
  /// The number of values that 24 bits can have.
  package static let valueCount = 0x1p24

  /// An event occurs if the bits are below `⌈2²⁴ · probability⌉`, with the probability rounded to `float32`.
  package static func bound(probability: Double) -> Double {
    (Double(Float(probability)) * valueCount).rounded(.up)
  }
}
