import ApusNN
import ApusSystem
import ApusTensor

/// Encodes rows of a table in which integers, the codes, represent categories: `[batch, width]` to `[batch, outputs]`,
/// both `float32`.
///
/// The output has the numeric features first, unchanged and in order, then the embeddings of the codes, in the order of
/// the categorical features (Guo, Berkhahn: "Entity embeddings of categorical variables", 2016). Embeddings are
/// initialized as in `Embedding`, except for code 0, which represents unknown or missing values: its embedding is
/// initialized with zeros, and changes only if training rows contain code 0.
///
/// The keys of the parameters are `embeddings.0.weight`, `embeddings.1.weight`, …, each of the shape
/// `[count, outputWidth(count)]`.
public struct TableEmbedding: Layer {
  /// A feature that contains codes `0 ..< count`.
  public struct Code: Hashable, Sendable {
    /// The index of the feature.
    public var feature: Int
    /// The number of different codes.
    public var count: Int

    public init(feature: Int, count: Int) {
      self.feature = feature
      self.count = count
    }
  }

  private let embeddings: [Embedding]
  private let features: [Int]
  /// The ranges of consecutive numeric features.
  private let runs: [Range<Int>]
  private let width: Int

  /// - Parameters:
  ///   - width: the number of features.
  ///   - codes: the features that contain codes, in ascending order of index.
  /// - Precondition: indices ascend and are below `width`, and counts are positive.
  public init(width: Int, codes: [Code]) {
    let indices = codes.map(\.feature)
    guard zip([-1] + indices, indices + [width]).allSatisfy({ $0 < $1 }), codes.allSatisfy({ $0.count > 0 }) else {
      let found = codes.map { "\($0.count) in feature \($0.feature)" }
      fatalError(
        "TableEmbedding: the features of \(found) must ascend and be below \(width), with at least one code each")
    }
    self.width = width
    features = indices
    runs = zip([-1] + indices, indices + [width]).map { $0 + 1..<$1 }.filter { !$0.isEmpty }
    embeddings = codes.map { code in
      let size = TableEmbedding.outputWidth(code.count)
      let table = Initializer.normal(deviation: 1)([code.count, size])
      return Embedding(weight: Parameter(table.replacing(0, with: .zeros([size]))))
    }
  }

  /// The size of the vector that represents one of `count` codes: `min(50, (count + 1) / 2)`.
  public static func outputWidth(_ count: Int) -> Int { min(50, ceilDivide(count, 2)) }

  /// The size of the output for a row.
  public static func outputWidth(of width: Int, codes: [Code]) -> Int {
    width - codes.count + codes.reduce(0) { $0 + outputWidth($1.count) }
  }

  public var members: [ModuleMember] {
    embeddings.enumerated().map { .module("embeddings.\($0.offset)", $0.element) }
  }

  public func callAsFunction(_ x: Tensor) -> Tensor { LayerTrace.leaf(self, x) { encoded(x) } }

  private func encoded(_ x: Tensor) -> Tensor {
    guard x.rank == 2, x.shape[1] == width else {
      ShapeError("TableEmbedding", "the input \(x.shape) is not [batch, \(width)]").report()
      return x
    }
    let numbers = runs.map { x.slice(axis: 1, from: $0.lowerBound, count: $0.count) }
    let rows = zip(features, embeddings).map { feature, embedding in
      embedding(x.slice(axis: 1, from: feature, count: 1).squeezingAxis(at: 1).cast(to: .int32))
    }
    return .concatenated(numbers + rows, axis: 1)
  }
}
