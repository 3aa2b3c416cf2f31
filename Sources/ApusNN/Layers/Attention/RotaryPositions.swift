import ApusTensor
import Glibc

/// Rotary position embedding (Su et al., 2021): pairs of elements of each query and key are rotated by an angle
/// proportional to the position, so that positions affect the product of a query and a key only by their distance.
/// ```text
/// (a, b) ↦ (a · cos mθᵢ − b · sin mθᵢ, b · cos mθᵢ + a · sin mθᵢ),   θᵢ = base^(−2i / size)
/// ```
/// for position `m` and pair `i`.
public struct RotaryPositions: Sendable {
  /// Which elements form a pair.
  public enum Pairing: Sendable {
    /// Elements `i` and `i + size / 2`, as in GPT-NeoX, and in weights of LLaMA that were converted for Hugging Face.
    case halves
    /// Elements `2i` and `2i + 1`, as in the paper.
    case interleaved
  }

  /// The size of the rotated vectors, equal to the size of a head.
  public let size: Int
  /// The maximum number of positions.
  public let capacity: Int
  /// Which elements form a pair.
  public let pairing: Pairing
  /// The cosines of the angles, `[capacity, size / 2]`; `sines` has the same shape.
  private let cosines: Tensor
  private let sines: Tensor

  /// - Precondition: `size` is positive and even, and `capacity` is positive.
  public init(_ size: Int, capacity: Int, base: Double = 10000, pairing: Pairing = .halves) {
    guard size > 0, size % 2 == 0, capacity > 0 else {
      fatalError("RotaryPositions: size \(size) must be positive and even, and capacity \(capacity) positive")
    }
    (self.size, self.capacity, self.pairing) = (size, capacity, pairing)
    let angles = (0..<capacity).flatMap { position in
      (0..<size / 2).map { Double(position) * pow(base, -Double(2 * $0) / Double(size)) }
    }
    cosines = Tensor(angles.map { Float(cos($0)) }, shape: [capacity, size / 2])
    sines = Tensor(angles.map { Float(sin($0)) }, shape: [capacity, size / 2])
  }

  /// - Parameters:
  ///   - x: `[batch…, length, size]`, with a length of at most the capacity.
  ///   - offset: the position of the first vector along the axis `length`, a scalar integer; 0 by default.
  /// - Returns: the rotated vectors, in the shape of `x`.
  /// - Throws (when the value is read): `DeviceError.indexOutOfRange` for positions beyond the capacity.
  public func callAsFunction(_ x: Tensor, offset: Tensor? = nil) -> Tensor {
    guard x.rank >= 2, x.shape[x.rank - 1] == size, x.shape[x.rank - 2] <= capacity else {
      let layout = "[batch…, length, \(size)] with a length of at most \(capacity)"
      ShapeError("RotaryPositions", "\(x.shape) is not \(layout)").report()
      return x
    }
    return x.inWideLane { x in
      let length = x.shape[x.rank - 2]
      let cosine = cosines.positions(length, offset).cast(to: x.dtype)
      let sine = sines.positions(length, offset).cast(to: x.dtype)
      let (a, b) = pairs(x)
      let turned = [a * cosine - b * sine, b * cosine + a * sine]
      switch pairing {
      case .halves: return .concatenated(turned, axis: -1)
      case .interleaved: return Tensor.stacked(turned, axis: -1).reshaped(to: x.shape)
      }
    }
  }

  private func pairs(_ x: Tensor) -> (Tensor, Tensor) {
    let axis = x.rank - 1
    switch pairing {
    case .halves:
      return (x.slice(axis: axis, from: 0, count: size / 2), x.slice(axis: axis, from: size / 2, count: size / 2))
    case .interleaved:
      let step = { x.slice(axis: axis, from: $0, count: size / 2, step: 2) }
      return (step(0), step(1))
    }
  }
}

extension Tensor {
  /// Rows `offset ..< offset + count`; without an offset the first `count` rows.
  func positions(_ count: Int, _ offset: Tensor?) -> Tensor {
    guard let offset else { return slice(axis: 0, from: 0, count: count) }
    let positions = Tensor.indices([count], axis: 0, dtype: .int32, device: device) + offset.cast(to: .int32)
    return rows(at: positions, for: "positions")
  }
}
