import CSHA256

/// The SHA-256 digest of a stream of bytes (FIPS 180-4).
///
/// The digest identifies stored bytes: cached GPU programs, checkpoints, `weights_sha256`.
package struct SHA256: Sendable {
  private var state: InlineArray<8, UInt32> = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  private var block = InlineArray<64, UInt8>(repeating: 0)
  /// The number of bytes in `block`.
  private var pending = 0
  private var byteCount: UInt64 = 0
  private let usesInstructions: Bool

  /// - Parameter usesInstructions: whether to use the processor's SHA-256 instructions, if it has them.
  package init(usesInstructions: Bool = true) {
    self.usesInstructions = usesInstructions && SHA256.hasInstructions
  }

  /// Whether the processor has instructions for SHA-256; they are seven times as fast as portable code.
  package static let hasInstructions = csha256_has_instructions()

  /// Adds bytes to the stream.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    byteCount &+= UInt64(bytes.count)
    var rest = bytes[...]
    if pending > 0 {
      fill(from: &rest)
      guard pending == 64 else { return }
      compressPending()
    }
    let whole = rest.count & ~63
    if whole > 0 { compress(UnsafeRawBufferPointer(rebasing: rest.prefix(whole))) }
    rest = rest.dropFirst(whole)
    fill(from: &rest)
  }

  /// Adds bytes to the stream.
  package mutating func update(_ bytes: some Sequence<UInt8>) {
    let stored: Void? = bytes.withContiguousStorageIfAvailable { update(UnsafeRawBufferPointer($0)) }
    if stored == nil { Array(bytes).withUnsafeBytes { update($0) } }
  }

  /// The 32 bytes of the digest of everything added so far.
  package consuming func finalize() -> [UInt8] {
    let bitCount = byteCount &* 8
    var padding: [UInt8] = [0x80]
    padding += [UInt8](repeating: 0, count: (119 - Int(byteCount % 64)) % 64)
    for shift in stride(from: 56, through: 0, by: -8) {
      padding.append(UInt8(truncatingIfNeeded: bitCount >> shift))
    }
    update(padding)
    return state.indices.flatMap { index in
      [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: state[index] >> $0) }
    }
  }

  /// The digest of `bytes` as 64 lower-case hexadecimal digits.
  package static func hexadecimal(of bytes: some Sequence<UInt8>) -> String {
    var hash = SHA256()
    hash.update(bytes)
    return hash.hexadecimal()
  }

  /// The digest of everything added so far as 64 lower-case hexadecimal digits.
  package consuming func hexadecimal() -> String {
    let digits = Array("0123456789abcdef".utf8)
    let text = finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    return String(decoding: text, as: UTF8.self)
  }
}

// MARK: - Compression

extension SHA256 {
  private mutating func fill(from rest: inout Slice<UnsafeRawBufferPointer>) {
    while pending < 64, let byte = rest.popFirst() {
      block[pending] = byte
      pending += 1
    }
  }

  private mutating func compressPending() {
    let copy = block
    pending = 0
    withUnsafeBytes(of: copy) { compress($0) }
  }

  /// Runs the compression function over a whole number of 64-byte blocks.
  private mutating func compress(_ blocks: UnsafeRawBufferPointer) {
    let (usesInstructions, count) = (usesInstructions, blocks.count / 64)
    withUnsafeMutableBytes(of: &state) { state in
      let words = state.baseAddress!.assumingMemoryBound(to: UInt32.self)
      if usesInstructions {
        csha256_compress_instructions(words, blocks.baseAddress, count)
      } else {
        csha256_compress_portable(words, blocks.baseAddress, count)
      }
    }
  }
}
