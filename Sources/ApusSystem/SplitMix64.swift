/// The generator SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014), whose state
/// is a counter.
package struct SplitMix64: RandomNumberGenerator, Sendable {
  /// The increment of the counter: 2⁶⁴ divided by the golden ratio, rounded down to an odd number.
  package static let gamma: UInt64 = 0x9E37_79B9_7F4A_7C15

  private var state: UInt64

  /// Starts at a value of the counter.
  package init(state: UInt64) { self.state = state }

  package mutating func next() -> UInt64 {
    state &+= Self.gamma
    return Self.mixed(state)
  }

  /// The finalizer, a bijection that spreads neighboring values over all 64 bits.
  package static func mixed(_ value: UInt64) -> UInt64 {
    var bits = value
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
  }
}
