import Testing

@testable import ApusSystem

struct SHA256Tests {
  /// The examples of FIPS 180-2, appendix B, and the digest of an empty text.
  @Test(arguments: [
    ("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    ("a", 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
  ])
  func knownDigest(text: String, count: Int, digest: String) {
    #expect(SHA256.hexadecimal(of: String(repeating: text, count: count).utf8) == digest)
  }

  /// The digest does not depend on the pieces in which the bytes are added. Most lengths are near multiples of the
  /// block size, 64 bytes, or near 56 and 120, the first lengths whose padding needs another block.
  @Test func piecesDoNotMatter() {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    for count in [55, 56, 63, 64, 65, 119, 120, 128, 1000] {
      let whole = SHA256.hexadecimal(of: bytes[..<count])
      for piece in [1, 7, 63, 64, 65, 200] {
        var hash = SHA256()
        for start in stride(from: 0, to: count, by: piece) {
          hash.update(bytes[start..<min(start + piece, count)])
        }
        #expect(hash.hexadecimal() == whole, "\(count) bytes in pieces of \(piece)")
      }
    }
  }

  /// The SHA instructions and the portable loop agree, over one block and over many.
  @Test(.enabled(if: SHA256.hasInstructions, "this processor has no instructions for SHA-256"))
  func instructionsGiveTheSameDigest() {
    let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* $0 &+ $0 >> 7) }
    for count in [0, 1, 64, 127, 128, 1000, 5000] {
      var portable = SHA256(usesInstructions: false)
      var fast = SHA256(usesInstructions: true)
      portable.update(bytes[..<count])
      fast.update(bytes[..<count])
      #expect(portable.hexadecimal() == fast.hexadecimal(), "\(count) bytes")
    }
  }

  @Test func thePortableLoopKnowsTheDigestOfTheStandard() {
    var hash = SHA256(usesInstructions: false)
    hash.update("abc".utf8)
    #expect(hash.hexadecimal() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }
}
