/// Counter-based random numbers: the same `(seed, stream, index)` always gives the same bits, in any order and on any
/// thread, so resuming needs no stored state.
///
/// The generator is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014), whose
/// state is a counter.
package struct CounterRandom: Sendable {
  private let key: UInt64

  /// - Parameter stream: the purpose of the numbers; different streams of one seed are independent.
  package init(seed: UInt64, stream: UInt64) {
    key = Self.mixed(Self.mixed(seed &+ Self.gamma) ^ (stream &* 0xd134_2543_de82_ef95))
  }

  /// 64 random bits.
  subscript(index: Int) -> UInt64 {
    Self.mixed(key &+ Self.gamma &* (UInt64(bitPattern: Int64(index)) &+ 1))
  }

  /// An integer in `0 ..< bound`.
  func integer(below bound: Int, at index: Int) -> Int { self[index].randomInteger(below: bound) }

  /// A number in `0 ..< 1`.
  package func unit(at index: Int) -> Double { self[index].randomUnit }

  private static let gamma: UInt64 = 0x9e37_79b9_7f4a_7c15

  private static func mixed(_ value: UInt64) -> UInt64 {
    var bits = value
    bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
    return bits ^ (bits >> 31)
  }
}
