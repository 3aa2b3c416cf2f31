import ApusTensor
import Glibc

extension Initializer {
  /// `gain` times a random matrix whose rows are orthonormal or, if it has fewer columns than rows, whose columns are
  /// orthonormal (Saxe, McClelland, Ganguli, 2014). The axes after the first are flattened into one.
  ///
  /// The matrix, or its transpose if there are more columns than rows, is the `Q` of the QR decomposition of a matrix
  /// of normally distributed numbers. Householder reflections compute `Q` in `Double` on the host. The signs of the
  /// columns of `Q` are chosen such that the diagonal of `R` is positive. `Q` is then uniformly distributed among all
  /// matrices with orthonormal columns (Mezzadri, 2007). The cost is `O(rows · columns · min(rows, columns))`. The
  /// device draws only the uniform random numbers, which are the same on every device, so equal seeds give equal bits.
  ///
  /// - Precondition: the shape has two axes or more.
  public static func orthogonal(gain: Double = 1) -> Initializer {
    Initializer { shape, _, key in
      guard shape.rank >= 2 else { fatalError("orthogonal: \(shape) must have at least two axes") }
      let (rows, columns) = (shape[0], shape.dropFirst().reduce(1, *))
      let (long, short) = (Swift.max(rows, columns), Swift.min(rows, columns))
      return Tensor.uniform([2, long * short], key: &key).mappedOnHost(to: shape) { numbers in
        let q = orthonormalColumns(normalNumbers(numbers), long, short)
        guard rows < columns else { return q.map { Float($0 * gain) } }
        // With more columns than rows, Q is transposed.
        return (0..<rows * columns).map { Float(q[$0 % columns * rows + $0 / columns] * gain) }
      }
    }
  }

  /// Normally distributed numbers by the Box–Muller transform (1958). Each one is computed from a number in the first
  /// half of `uniform` and the corresponding number in the second half. All numbers of `uniform` are in `0 ..< 1`.
  private static func normalNumbers(_ uniform: [Float]) -> [Double] {
    let count = uniform.count / 2
    return (0..<count).map { index in
      let (first, second) = (Double(uniform[index]), Double(uniform[count + index]))
      return (-2 * log(1 - first)).squareRoot() * cos(2 * Double.pi * second)
    }
  }

  /// The `Q` of `A = Q R` with a positive diagonal of `R`. `A` and `Q` are `[rows, columns]` in row-major order with
  /// `rows ≥ columns`.
  private static func orthonormalColumns(_ matrix: [Double], _ rows: Int, _ columns: Int) -> [Double] {
    // Column-major, because reflections traverse columns.
    var a = (0..<rows * columns).map { matrix[$0 % rows * columns + $0 / rows] }
    var signs = [Double](repeating: 1, count: columns)
    // From its diagonal element on, column k stores a vector v; reflection k is I − 2 v vᵀ / |v|².
    for k in 0..<columns {
      let start = k * rows + k
      let end = (k + 1) * rows
      let length = a[start..<end].reduce(0) { $0 + $1 * $1 }.squareRoot()
      // The new diagonal element gets the sign opposite to the old one's, so that their difference does not cancel.
      let diagonal = a[start] > 0 ? -length : length
      signs[k] = diagonal < 0 ? -1 : 1
      a[start] -= diagonal
      let vector = Array(a[start..<end])
      for column in k + 1..<columns { reflect(&a, by: vector, at: column * rows + k) }
    }
    // Q is the product of the reflections and the first columns of the identity; the last reflection is applied first.
    var q = [Double](repeating: 0, count: rows * columns)
    for k in 0..<columns { q[k * rows + k] = signs[k] }
    for k in (0..<columns).reversed() {
      let vector = Array(a[(k * rows + k)..<(k + 1) * rows])
      for column in k..<columns { reflect(&q, by: vector, at: column * rows + k) }
    }
    return (0..<rows * columns).map { q[$0 % columns * rows + $0 / columns] }
  }

  /// Applies the reflection `I − 2 v vᵀ / |v|²` of a vector `v` to the elements of `a` from offset `base`.
  private static func reflect(_ a: inout [Double], by vector: [Double], at base: Int) {
    var (square, product) = (0.0, 0.0)
    for (offset, v) in vector.enumerated() {
      square += v * v
      product += v * a[base + offset]
    }
    guard square > 0 else { return }
    for (offset, v) in vector.enumerated() { a[base + offset] -= 2 * product / square * v }
  }
}
