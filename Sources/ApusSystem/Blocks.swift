// Division of a count into blocks of equal size or into a number of parts.

/// `⌈a / b⌉` for `a ≥ 0` and `b > 0`. For a negative `a` the result is negative or 0.
@inlinable
package func ceilDivide(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }

/// The smallest multiple of `factor` that is at least `a`, for `a ≥ 0` and `factor > 0`.
@inlinable
package func roundUp(_ a: Int, toMultipleOf factor: Int) -> Int { ceilDivide(a, factor) * factor }

/// The elements of block `index`, where `0 ..< count` is divided into blocks of `size` elements. The last block may be
/// shorter.
@inlinable
package func blockRange(_ index: Int, size: Int, count: Int) -> Range<Int> {
  (index * size)..<min((index + 1) * size, count)
}

/// The elements of part `index`, where `0 ..< count` is divided into `parts` parts whose sizes differ by at most 1.
@inlinable
package func partRange(_ index: Int, of parts: Int, count: Int) -> Range<Int> {
  (index * count / parts)..<((index + 1) * count / parts)
}
