/// The eigenvalues and eigenvectors of a symmetric matrix.
struct SymmetricEigenvectors {
  /// The eigenvalues, in descending order.
  let values: [Double]
  /// For each eigenvalue, an eigenvector of length 1. The vectors are orthogonal to each other.
  let vectors: [[Double]]

  /// The largest number of passes over all pairs of rows. Usually fewer than ten are needed.
  private static let sweepLimit = 60
  /// The passes end when the sum of the squared off-diagonal elements is at most this fraction of the sum of all
  /// squared elements.
  private static let tolerance = 1e-28

  /// Diagonalizes a matrix by Jacobi's method (1846): a rotation of two axes sets one off-diagonal element to 0, and
  /// passes over all off-diagonal elements make all of them small (Golub, Van Loan, "Matrix computations", section
  /// 8.5). The method uses only basic arithmetic and roots, so the result has the same bits on every machine. Each pass
  /// costs `O(size³)`.
  ///
  /// - Parameter matrix: `[size, size]`, row-major.
  init(of matrix: [Double], size: Int) {
    var a = matrix
    var v = [Double](repeating: 0, count: size * size)
    for k in 0..<size { v[k * size + k] = 1 }
    let total = matrix.reduce(0) { $0 + $1 * $1 }
    for _ in 0..<Self.sweepLimit {
      var rest = 0.0
      for p in 0..<size {
        for q in 0..<size where q != p { rest += a[p * size + q] * a[p * size + q] }
      }
      guard rest > Self.tolerance * total else { break }
      for p in 0..<size {
        for q in p + 1..<size { Self.rotate(&a, &v, p, q, size) }
      }
    }
    let found = a
    let order = (0..<size).sorted { found[$0 * size + $0] > found[$1 * size + $1] }
    values = order.map { found[$0 * size + $0] }
    let rows = v
    vectors = order.map { Array(rows[$0 * size..<($0 + 1) * size]) }
  }

  /// Rotates axes `p` and `q` of `a` so that its element `(p, q)` becomes 0. Rotates rows `p` and `q` of `v`, the
  /// transposed eigenvectors, in the same way.
  private static func rotate(_ a: inout [Double], _ v: inout [Double], _ p: Int, _ q: Int, _ size: Int) {
    let element = a[p * size + q]
    guard element != 0 else { return }
    // The tangent of the smaller of the two angles that make the element 0.
    let ratio = (a[q * size + q] - a[p * size + p]) / (2 * element)
    let tangent = (ratio < 0 ? -1 : 1) / (ratio.magnitude + (ratio * ratio + 1).squareRoot())
    let cosine = 1 / (tangent * tangent + 1).squareRoot()
    let sine = tangent * cosine
    func mix(_ numbers: inout [Double], _ first: Int, _ second: Int) {
      let (one, other) = (numbers[first], numbers[second])
      numbers[first] = cosine * one - sine * other
      numbers[second] = sine * one + cosine * other
    }
    for k in 0..<size { mix(&a, k * size + p, k * size + q) }
    for k in 0..<size { mix(&a, p * size + k, q * size + k) }
    for k in 0..<size { mix(&v, p * size + k, q * size + k) }
  }
}
