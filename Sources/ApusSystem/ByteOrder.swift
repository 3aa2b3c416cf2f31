extension [UInt8] {
  /// The big-endian `uint32` in the bytes `b₀ … b₃` from `position` on: `Σ bᵢ · 256³⁻ⁱ`.
  package func bigEndianWord(at position: Int) -> Int {
    self[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
  }

  /// The little-endian `uint64` in the bytes `b₀ … b₇` from `position` on: `Σ bᵢ · 256ⁱ`.
  package func littleEndianLong(at position: Int) -> UInt64 {
    self[position..<position + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
