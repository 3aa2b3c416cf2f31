/// The number of examples of each class, and the class weights that balance the classes.
public struct ClassBalance: Hashable, Sendable {
  /// The number of examples of each class.
  public let counts: [Int]

  /// - Precondition: the labels are in `0 ..< classCount`.
  public init(labels: [Int32], classCount: Int) {
    var counts = [Int](repeating: 0, count: classCount)
    for label in labels {
      guard counts.indices.contains(Int(label)) else {
        fatalError("ClassBalance: label \(label), but there are \(classCount) classes")
      }
      counts[Int(label)] += 1
    }
    self.counts = counts
  }

  /// The weight of each class `c`, `n / (classes · n_c)`, as with `class_weight="balanced"` of scikit-learn.
  ///
  /// `n_c` of the `n` examples are in class `c`, and `classes` is the number of classes that occur. The weights of all
  /// examples add up to `n`. The weights of the examples of one class add up to `n / classes`, the same for each class.
  /// An absent class has the weight 0.
  public var weights: [Double] {
    let total = Double(counts.reduce(0, +))
    let occurring = Double(counts.count { $0 > 0 })
    return counts.map { $0 > 0 ? total / (occurring * Double($0)) : 0 }
  }
}
