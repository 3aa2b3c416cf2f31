import ApusSystem

/// The order in which the examples of a data set are visited, and their division into minibatches.
///
/// For given examples and settings, the order depends only on the seed and the epoch. So a run that resumes in the
/// middle of an epoch requests the same batches as an uninterrupted run, and checkpoints need not store the order.
public struct MinibatchOrder: Hashable, Sendable {
  public let count: Int
  /// The number of examples in a batch; the last batch of an epoch may have fewer.
  public let batchSize: Int
  /// Equal seeds give equal orders.
  public let seed: UInt64
  /// Whether the examples are in a random order, a different one in each epoch.
  public let isShuffled: Bool
  /// Whether an incomplete last batch is dropped.
  public let dropsLast: Bool
  /// The examples of each class, if classes are balanced.
  private let classes: [[Int32]]?

  /// Creates an order that visits each example once in an epoch, except the examples of a last batch that is dropped.
  /// - Parameters:
  ///   - count: the number of examples
  ///   - batchSize: the number of examples in a batch; limited to `count`
  /// - Precondition: `count` and `batchSize` are positive.
  public init(count: Int, batchSize: Int, seed: UInt64, isShuffled: Bool = true, dropsLast: Bool = false) {
    guard count > 0, batchSize > 0 else {
      fatalError("MinibatchOrder: \(count) examples in batches of \(batchSize); both must be positive")
    }
    self.count = count
    self.batchSize = min(batchSize, count)
    self.seed = seed
    self.isShuffled = isShuffled
    self.dropsLast = dropsLast
    classes = nil
  }

  /// Creates an order that visits each class equally often in an epoch. The examples of a class are sampled with
  /// replacement: an example of a rare class occurs several times, and some examples of a frequent class do not occur.
  ///
  /// An epoch has `labels.count` examples. If the number of classes does not divide `labels.count`, some classes have
  /// one example more than others; these classes are chosen at random in each epoch.
  ///
  /// - Parameters:
  ///   - labels: the class of each example; classes without examples are ignored
  ///   - batchSize: the number of examples in a batch; limited to the number of examples
  /// - Precondition: there are examples, and `batchSize` is positive.
  public init(balancing labels: [Int32], batchSize: Int, seed: UInt64, dropsLast: Bool = false) {
    guard !labels.isEmpty, batchSize > 0 else {
      fatalError("MinibatchOrder: \(labels.count) examples in batches of \(batchSize); both must be positive")
    }
    count = labels.count
    self.batchSize = min(batchSize, labels.count)
    self.seed = seed
    isShuffled = true
    self.dropsLast = dropsLast
    classes = Dictionary(grouping: labels.indices.map(Int32.init)) { labels[Int($0)] }
      .sortedArray { $0.key < $1.key }.map(\.value)
  }

  /// The number of batches in each epoch.
  public var batchesPerEpoch: Int {
    dropsLast ? count / batchSize : ceilDivide(count, batchSize)
  }

  /// The order of one epoch.
  public func epoch(_ epoch: Int) -> Epoch { Epoch(order: self, epoch: epoch) }

  /// The batches of one epoch. A batch is a slice with the indices of its examples.
  public struct Epoch: RandomAccessCollection, Sendable {
    /// The examples in the order of the epoch.
    public let examples: [Int32]
    private let batchSize: Int
    public let endIndex: Int

    init(order: MinibatchOrder, epoch: Int) {
      batchSize = order.batchSize
      endIndex = order.batchesPerEpoch
      examples =
        if let classes = order.classes {
          Self.balanced(classes, order.count, seed: order.seed, epoch: epoch)
        } else if order.isShuffled {
          Self.permutation(order.count, seed: order.seed, epoch: epoch)
        } else {
          Array(0..<Int32(order.count))
        }
    }

    public var startIndex: Int { 0 }

    /// The indices of the examples of a batch.
    public subscript(batch: Int) -> ArraySlice<Int32> {
      examples[blockRange(batch, size: batchSize, count: examples.count)]
    }

    /// The numbers `0 ..< count` in random order.
    private static func permutation(_ count: Int, seed: UInt64, epoch: Int) -> [Int32] {
      let random = CounterRandom(seed: seed, stream: UInt64(bitPattern: Int64(epoch)))
      return Array(0..<Int32(count)).shuffled { random.integer(below: $0, at: $1) }
    }

    /// Assigns the classes to the positions of an epoch in random order, and samples for each position an example of
    /// its class.
    private static func balanced(_ classes: [[Int32]], _ count: Int, seed: UInt64, epoch: Int) -> [Int32] {
      // Position `p` gets the class `round[p % classes.count]`. So each round of `classes.count` consecutive positions
      // contains every class once; the last round may be incomplete. The positions are shuffled in the same way as the
      // examples of unbalanced epochs.
      let positions = permutation(count, seed: seed, epoch: epoch)
      let random = CounterRandom(seed: seed, stream: UInt64(bitPattern: Int64(epoch)) ^ drawing)
      let round = shuffledClasses(classes.count, random)
      return positions.map { position in
        let members = classes[round[Int(position) % classes.count]]
        return members[random.integer(below: members.count, at: Int(position))]
      }
    }

    /// A random order of the classes; it decides which classes an incomplete round contains.
    private static func shuffledClasses(_ count: Int, _ random: CounterRandom) -> [Int] {
      // The indices of these random numbers are negative. `balanced` uses the indices from 0, so it gets other random
      // numbers.
      Array(0..<count).shuffled { random.integer(below: $0, at: -$1) }
    }

    /// XORed into the number of the random stream, so that sampling and shuffling use different streams.
    private static let drawing: UInt64 = 0x6472_6177 << 32
  }
}
