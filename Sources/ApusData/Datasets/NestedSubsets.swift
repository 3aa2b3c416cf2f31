import ApusSystem

/// Nested subsets of examples: all examples have one fixed order, and the subset of size `n` is the first `n` of them.
///
/// If the examples have classes, each subset has nearly the class proportions of the whole set. The `m` examples of a
/// class are shuffled; number `j` of them, counted from 0, has the sort key `(2j + 1) / (2m)`, as in the apportionment
/// of Webster and Sainte-Laguë. Examples with equal keys are in random order.
public struct NestedSubsets: Hashable, Sendable {
  /// All examples in order; the subset of size `n` is the first `n` of them.
  public let order: [Int32]

  /// Orders labeled examples. Equal seeds give equal orders.
  public init(labels: [Int32], seed: UInt64) {
    let groups = Dictionary(grouping: labels.indices, by: { labels[$0] }).sortedArray { $0.key < $1.key }
    var positions: [(position: Double, tie: Double, example: Int32)] = []
    let ties = CounterRandom(seed: seed, stream: NestedSubsets.tieStream)
    for (number, group) in groups.enumerated() {
      let members = group.value
      let drawn = MinibatchOrder(count: members.count, batchSize: members.count, seed: seed).epoch(number).examples
      for (index, member) in drawn.enumerated() {
        // Each quotient is rounded only once, so equal ratios give equal keys.
        let position = Double(2 * index + 1) / Double(2 * members.count)
        positions.append((position, ties.unit(at: positions.count), Int32(members[Int(member)])))
      }
    }
    order = positions.sortedArray { ($0.position, $0.tie, $0.example) < ($1.position, $1.tie, $1.example) }.map(
      \.example)
  }

  /// Orders examples without classes.
  public init(count: Int, seed: UInt64) {
    order = count > 0 ? MinibatchOrder(count: count, batchSize: count, seed: seed).epoch(0).examples : []
  }

  /// The first `size` examples.
  /// - Precondition: `size` is not negative and at most the number of examples.
  public func subset(_ size: Int) -> [Int32] { Array(order[..<size]) }

  /// The index of the random stream that orders examples with equal keys. It is far above the indices, counted from 0,
  /// of the streams that shuffle the examples of each class.
  private static let tieStream: UInt64 = 1 << 40
}
