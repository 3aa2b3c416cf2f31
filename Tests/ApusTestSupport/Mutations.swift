import Apus
import ApusSystem

/// Damaged copies of well-formed inputs, the same in every run. A parser must not trap on any of them.
public struct Mutations: Sequence, Sendable {
  private let seeds: [[UInt8]]
  private let count: Int

  /// - Parameters:
  ///   - seeds: well-formed inputs
  ///   - count: the number of damaged copies
  public init(of seeds: [[UInt8]], count: Int) {
    self.seeds = seeds
    self.count = count
  }

  public func makeIterator() -> AnyIterator<[UInt8]> {
    var random = SplitMix64(state: 0x6d75_7461_7465)
    var made = 0
    return AnyIterator {
      guard made < count else { return nil }
      made += 1
      var bytes = seeds.randomElement(using: &random)!
      for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&bytes, &random) }
      return bytes
    }
  }

  private func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
    let place = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &random)
    let interesting: [UInt8] = [0, 1, 0x7f, 0x80, 0xff] + Array("{}[]\":,-0e".utf8)
    switch Int.random(in: 0..<7, using: &random) {
    case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1 where !bytes.isEmpty: bytes[place] = UInt8.random(in: 0...255, using: &random)
    case 2 where !bytes.isEmpty: bytes[place] = interesting.randomElement(using: &random)!
    case 3: bytes.removeSubrange(place..<Swift.min(bytes.count, place + 1 + place % 9))
    case 4: bytes.insert(interesting.randomElement(using: &random)!, at: place)
    case 5: bytes.insert(contentsOf: bytes[place..<Swift.min(bytes.count, place + 16)], at: place)
    default: bytes.removeSubrange(place...)
    }
  }
}
