import ApusTensor
import Glibc

/// Attention with linear biases (ALiBi; Press, Smith, Lewis, 2022): an additive mask that lowers attention scores in
/// proportion to the distance, `−slope · |i + offset − j|` for query `i` and key `j`.
///
/// For `n` heads, where `n` is a power of two, the slopes are `2^(−8h / n)`, `h = 1 … n`. Otherwise they are the slopes
/// for the next lower power of two, followed by every second slope for the next higher power of two.
public struct LinearBiases: Sendable {
  /// The slope of each head.
  public let slopes: [Double]

  /// Computes the slopes for `heads` heads.
  public init(heads: Int) {
    guard heads > 0 else { fatalError("LinearBiases: the number of heads is \(heads), but must be at least 1") }
    var power = 1
    while power * 2 <= heads { power *= 2 }
    let slopes = { (count: Int) in (1...count).map { pow(2, -8 * Double($0) / Double(count)) } }
    let others = slopes(2 * power).enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
    self.slopes = slopes(power) + others.prefix(heads - power)
  }

  /// - Parameter offset: the number of keys before the first query, a scalar integer; 0 by default.
  /// - Returns: `[heads, queries, keys]`, an additive `float32` mask for attention.
  public func callAsFunction(
    queries: Int, keys: Int, offset: Tensor? = nil, device: ComputeDevice = .current
  ) -> Tensor {
    let row = Tensor.indices([queries, keys], axis: 0, device: device)
    let position = offset.map { row + $0.cast(to: .int64) } ?? row
    let distance = (position - Tensor.indices([queries, keys], axis: 1, device: device)).abs().cast(to: .float32)
    let factors = Tensor(slopes.map { Float(-$0) }, shape: [slopes.count, 1, 1], device: device)
    return factors * distance
  }
}
