/// Subsets of examples, each of which contains all smaller ones: the examples in an order of which every beginning is a
/// subset.
///
/// Where there are classes, each beginning has them in the shares of the whole: the order is that of the divisors of
/// Webster and Sainte-Laguë, example `j` of a class of `n` standing at `(2j + 1) / 2n`. Which examples of a class come
/// first, and which of several classes that are at the same place, is drawn.
public struct NestedSubsets: Hashable, Sendable {
  /// All examples; the subset of size `n` is the first `n` of them.
  public let order: [Int32]

  /// An order of examples with classes. Equal seeds give equal orders.
  public init(labels: [Int32], seed: UInt64) {
    let groups = Dictionary(grouping: labels.indices, by: { labels[$0] }).sorted { $0.key < $1.key }
    var places: [(place: Double, tie: Double, example: Int32)] = []
    let ties = CounterRandom(seed: seed, stream: NestedSubsets.tieStream)
    for (number, group) in groups.enumerated() {
      let members = group.value
      let drawn = MinibatchOrder(count: members.count, batchSize: members.count, seed: seed).epoch(number).examples
      for (index, member) in drawn.enumerated() {
        // The quotient is rounded once: equal ratios give equal numbers.
        let place = Double(2 * index + 1) / Double(2 * members.count)
        places.append((place, ties.unit(at: places.count), Int32(members[Int(member)])))
      }
    }
    order = places.sorted { ($0.place, $0.tie, $0.example) < ($1.place, $1.tie, $1.example) }.map(\.example)
  }

  /// An order of examples without classes.
  public init(count: Int, seed: UInt64) {
    order = count > 0 ? MinibatchOrder(count: count, batchSize: count, seed: seed).epoch(0).examples : []
  }

  /// The first `size` examples.
  /// - Precondition: `size` is not negative and at most the number of examples.
  public func subset(_ size: Int) -> [Int32] { Array(order[..<size]) }

  /// Far from the streams of the classes.
  private static let tieStream: UInt64 = 1 << 40
}
