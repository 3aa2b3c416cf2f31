import ApusDevice
import ApusSystem

/// A parsed Einstein summation: the labels of the axes of each operand and of the result.
///
/// An ellipsis stands for axes that broadcast; they get separate labels (`"0"`, `"1"`, …, counted from the last axis).
private struct Equation {
  var operands: [[Character]]
  var result: [Character]

  init(_ text: String, _ shapes: [Shape]) throws(ShapeError) {
    let sides = text.filter { $0 != " " }.split(separator: "->", omittingEmptySubsequences: false)
    let terms = sides[0].split(separator: ",", omittingEmptySubsequences: false)
    guard sides.count <= 2 else { throw ShapeError("einsum", "“\(text)” has more than one arrow") }
    guard terms.count == shapes.count else {
      let counts = (terms.count.text(of: "operand"), shapes.count.text(of: "tensor"))
      throw ShapeError("einsum", "“\(text)” has \(counts.0), but the call has \(counts.1): \(shapes)")
    }
    operands = []
    var ellipsis: [Character] = []
    for (term, shape) in zip(terms, shapes) {
      let labels = try Equation.labels(term, shape)
      operands.append(labels)
      let extra = labels.filter(\.isNumber)
      if extra.count > ellipsis.count { ellipsis = extra }
    }
    if sides.count == 2 {
      result = try Equation.labels(sides[1], ellipsis: ellipsis)
    } else {
      // Without an arrow, the result has the axes of the ellipsis, then the letters that occur once, in ASCII order.
      let all = operands.joined().filter(\.isLabel)
      result = ellipsis + Set(all).filter { label in all.count { $0 == label } == 1 }.sorted()
    }
    for (position, label) in result.enumerated() {
      guard operands.contains(where: { $0.contains(label) }), !result[..<position].contains(label) else {
        throw ShapeError("einsum", "“\(label)” of the result must occur in an operand, and only once in the result")
      }
    }
  }

  private static func labels(
    _ term: Substring, _ shape: Shape? = nil, ellipsis: [Character] = []
  ) throws(ShapeError) -> [Character] {
    guard let dots = term.firstRange(of: "...") else {
      let labels = Array(term)
      guard labels.allSatisfy(\.isLabel), labels.count == shape?.rank ?? labels.count else {
        throw ShapeError("einsum", "“\(term)” does not label \(axes(of: shape)) with letters")
      }
      return labels
    }
    let (before, after) = (Array(term[..<dots.lowerBound]), Array(term[dots.upperBound...]))
    let count = shape.map { $0.rank - before.count - after.count } ?? ellipsis.count
    guard count >= 0, (before + after).allSatisfy(\.isLabel) else {
      throw ShapeError("einsum", "“\(term)” does not label \(axes(of: shape)) with letters")
    }
    return before + (0..<count).reversed().map { Character("\($0)") } + after
  }

  private static func axes(of shape: Shape?) -> String { shape.map { "the axes of \($0)" } ?? "its axes" }
}

extension Character {
  fileprivate var isLabel: Bool { isASCII && isLetter }
}

/// A tensor with a label for each axis.
private struct Labelled {
  var tensor: Tensor
  var labels: [Character]

  /// The axes in the order of `target`, with axes of extent 1 for missing labels.
  func ordered(_ target: [Character]) throws(ShapeError) -> Tensor {
    guard target.count <= Shape.maximumRank else {
      throw ShapeError("einsum", "\(target.count) axes at once exceed the maximum of \(Shape.maximumRank)")
    }
    let present = target.filter(labels.contains)
    let moved = tensor.transposed(present.map { labels.firstIndex(of: $0)! })
    return moved.reshaped(to: Shape(target.map { label in labels.firstIndex(of: label).map { tensor.shape[$0] } ?? 1 }))
  }

  /// Replaces axes with the same label by their diagonal.
  func withoutRepeats() throws(ShapeError) -> Labelled {
    var result = self
    while let (first, second) = result.repeatedPair() {
      let rank = result.tensor.rank
      guard result.tensor.shape[first] == result.tensor.shape[second] else {
        throw ShapeError("einsum", "axes “\(result.labels[first])” of \(result.tensor.shape) differ")
      }
      let order = (0..<rank).filter { $0 != first && $0 != second } + [first, second]
      let labels = order.dropLast().map { result.labels[$0] }
      result = Labelled(tensor: result.tensor.transposed(order).diagonal(), labels: labels)
    }
    return result
  }

  private func repeatedPair() -> (Int, Int)? {
    for (position, label) in labels.enumerated() {
      if let other = labels[..<position].firstIndex(of: label) { return (other, position) }
    }
    return nil
  }

  /// The sum over axes whose labels are not in `needed`.
  func summed(keeping needed: Set<Character>) -> Labelled {
    let axes = labels.indices.filter { !needed.contains(labels[$0]) }
    guard !axes.isEmpty else { return self }
    return Labelled(tensor: tensor.sum(axes: axes), labels: labels.filter(needed.contains))
  }

  /// The product of both tensors, summed over the labels that are not in `needed`. It is computed as one batched matrix
  /// product, or elementwise if no label is summed or an operand is broadcast along a summed axis.
  func contracted(with other: Labelled, keeping needed: Set<Character>) throws(ShapeError) -> Labelled {
    let extents = try sharedExtents(with: other)
    let (left, right) = (summed(keeping: needed.union(other.labels)), other.summed(keeping: needed.union(labels)))
    let shared = left.labels.filter(right.labels.contains)
    let contracted = shared.filter { !needed.contains($0) }
    let batch = shared.filter(needed.contains)
    let rows = left.labels.filter { !shared.contains($0) }
    let columns = right.labels.filter { !shared.contains($0) }
    let labels = batch + rows + columns
    if contracted.isEmpty || left.isBroadcast(contracted, extents) || right.isBroadcast(contracted, extents) {
      // The result type of a matrix product: 8 bits are too few for products of 8-bit integers.
      let type = DType.promoted(left.tensor.dtype, right.tensor.dtype).product
      let product =
        try left.ordered(labels + contracted).cast(to: type) * right.ordered(labels + contracted).cast(to: type)
      return Labelled(tensor: product, labels: labels + contracted).summed(keeping: Set(labels))
    }
    func count(_ list: [Character]) -> Int { list.reduce(1) { $0 * extents[$1]! } }
    let a = try left.ordered(batch + rows + contracted), b = try right.ordered(batch + contracted + columns)
    guard labels.count <= Shape.maximumRank else {
      throw ShapeError("einsum", "\(labels.count) axes at once exceed the maximum of \(Shape.maximumRank)")
    }
    let product = a.reshaped(to: Shape(a.shape.prefix(batch.count) + [count(rows), count(contracted)]))
      .matmul(b.reshaped(to: Shape(b.shape.prefix(batch.count) + [count(contracted), count(columns)])))
    return Labelled(tensor: product.reshaped(to: Shape(labels.map { extents[$0]! })), labels: labels)
  }

  private func isBroadcast(_ list: [Character], _ extents: [Character: Int]) -> Bool {
    list.contains { tensor.shape[labels.firstIndex(of: $0)!] != extents[$0]! }
  }

  /// The extents of all labels; axes of an ellipsis may have extent 1 in one operand.
  private func sharedExtents(with other: Labelled) throws(ShapeError) -> [Character: Int] {
    var extents = Dictionary(zip(labels, tensor.shape), uniquingKeysWith: { $1 })
    for (label, extent) in zip(other.labels, other.tensor.shape) {
      let known = extents[label] ?? extent
      guard known == extent || label.isNumber && (known == 1 || extent == 1) else {
        throw ShapeError("einsum", "“\(label)” is \(known) in one operand and \(extent) in another")
      }
      extents[label] = known == 1 ? extent : known
    }
    return extents
  }
}

extension Tensor {
  /// Einstein summation as in NumPy: products of the operands' elements, summed over the labels that the result lacks.
  /// For example, `"ij,jk->ik"` is the matrix product, `"bii->b"` the traces, `"...ij->...ji"` the transposes.
  ///
  /// Operands are multiplied from left to right. A product of two operands that is summed over a letter is one batched
  /// matrix product. As in matrix products, products of `int8` and `uint8` are `int32`. Integers that are summed
  /// without a matrix product become `int64`.
  ///
  /// - Parameters:
  ///   - equation: one letter for each axis, operands separated by commas; `...` for axes that broadcast. Without `->`,
  ///     the result has the axes of `...`, then the letters that occur once, in ASCII order (`A` … `Z`, `a` … `z`).
  ///   - operands: the tensors, in the order of the equation, with one axis for each letter and any number for `...`.
  /// - Returns: one axis for each label of the result, with the extent that the label has in the operands.
  /// - Precondition: axes with the same letter have the same extent, and no product of two operands has more than 8
  ///   axes.
  public static func einsum(_ equation: String, _ operands: [Tensor]) -> Tensor {
    do throws(ShapeError) {
      let parsed = try Equation(equation, operands.map(\.shape))
      var rest: [Labelled] = []
      for (tensor, labels) in zip(operands, parsed.operands) {
        rest.append(try Labelled(tensor: tensor, labels: labels).withoutRepeats())
      }
      var result = rest.removeFirst()
      while !rest.isEmpty {
        let next = rest.removeFirst()
        let needed = Set(parsed.result).union(rest.flatMap(\.labels))
        result = try result.contracted(with: next, keeping: needed)
      }
      return try result.summed(keeping: Set(parsed.result)).ordered(parsed.result)
    } catch {
      error.report()
      return operands.first ?? .zeros([])
    }
  }
}
