/// Counter-based random numbers: the same `(seed, stream, index)` always gives the same bits, in any order and on any
/// thread, so a resumed run needs no stored state.
///
/// The generator is SplitMix64, whose state is a counter.
package struct CounterRandom: Sendable {
  private let key: UInt64

  /// - Parameter stream: the purpose of the numbers; different streams of one seed are independent.
  package init(seed: UInt64, stream: UInt64) {
    key = SplitMix64.mixed(SplitMix64.mixed(seed &+ SplitMix64.gamma) ^ (stream &* 0xd134_2543_de82_ef95))
  }

  /// 64 random bits.
  package subscript(index: Int) -> UInt64 {
    SplitMix64.mixed(key &+ SplitMix64.gamma &* (UInt64(bitPattern: Int64(index)) &+ 1))
  }

  /// An integer in `0 ..< bound`.
  package func integer(below bound: Int, at index: Int) -> Int { self[index].randomInteger(below: bound) }

  /// A number in `0 ..< 1`.
  package func unit(at index: Int) -> Double { self[index].randomUnit }
}

extension UInt64 {
  /// Random bits as a number in `0 ..< 1`.
  package var randomUnit: Double { Double(self >> 11) * 0x1p-53 }

  /// Random bits as an integer in `0 ..< bound`. The bias is below `bound · 2⁻⁶⁴`.
  package func randomInteger(below bound: Int) -> Int { Int(multipliedFullWidth(by: UInt64(bound)).high) }
}
