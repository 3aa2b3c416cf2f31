extension [UInt8] {
  /// `Σ bᵢ · 256³⁻ⁱ` of the bytes `b₀ … b₃` from `position` on, a big-endian `uint32`.
  package func bigEndianWord(at position: Int) -> Int {
    self[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
  }

  /// `Σ bᵢ · 256ⁱ` of the bytes `b₀ … b₇` from `position` on, a little-endian `uint64`.
  package func littleEndianLong(at position: Int) -> UInt64 {
    self[position..<position + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
