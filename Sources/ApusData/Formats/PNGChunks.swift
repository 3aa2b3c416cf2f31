import ApusSystem
import CZlib

/// The chunks of a PNG file that define the pixels; all chunks are checked.
///
/// The initializer finds every truncation and every wrong checksum, and reports the offset. libpng would not find them
/// all: it stops reading after the last row of pixels, and ignores damage in ancillary chunks. All ancillary chunks are
/// dropped. So gamma, color profiles and transparent colors do not change the pixels, as in torchvision, and compressed
/// texts are never decompressed. A critical chunk that is not in `kept` is an error.
struct PNGChunks {
  /// The image size and the sample format.
  let header: PNGHeader
  /// The bytes of a PNG file that consists of the kept chunks only.
  let bytes: [UInt8]

  private static let mostChunks = 1 << 20
  private static let kept = ["IHDR", "PLTE", "IDAT", "IEND"]

  /// - Precondition: `file` starts with the signature.
  init(_ file: [UInt8], path: String) throws(DataError) {
    var ranges: [Range<Int>] = []
    var position = PNG.signature.count
    var kind = ""
    var count = 0
    while kind != "IEND" {
      count += 1
      guard count <= PNGChunks.mostChunks else {
        throw PNGChunks.failure(path, position, "more than the limit of \(PNGChunks.mostChunks) chunks")
      }
      let chunk = try PNGChunks.chunk(of: file, at: position, path: path)
      kind = chunk.kind
      guard position > PNG.signature.count || kind == "IHDR" && chunk.range.count == 12 + 13 else {
        throw PNGChunks.failure(path, position, "the file must start with the chunk IHDR of 13 bytes")
      }
      if PNGChunks.kept.contains(kind) {
        ranges.append(chunk.range)
      } else if kind.utf8.first.map({ $0 & 0x20 == 0 }) ?? true {
        // An upper-case first letter marks a critical chunk: the pixels cannot be decoded without it.
        throw PNGChunks.failure(path, position, "the chunk \(kind) is unknown")
      }
      position = chunk.range.upperBound
    }
    guard let header = PNGHeader(file) else { throw PNGChunks.failure(path, 0, "the chunk IHDR is not the first") }
    guard header.width > 0, header.height > 0 else {
      throw PNGChunks.failure(path, PNG.signature.count + 8, "the size \(header.width)x\(header.height) is empty")
    }
    self.header = header
    let isWhole = ranges.count > 0 && position == ranges.reduce(PNG.signature.count) { $0 + $1.count }
    if isWhole, position == file.count {
      bytes = file
    } else {
      bytes = ranges.reduce(into: PNG.signature) { $0 += file[$1] }
    }
  }

  /// Checks the chunk at a position (length, name, data, checksum), and returns its name and byte range.
  private static func chunk(
    of file: [UInt8], at position: Int, path: String
  ) throws(DataError) -> (kind: String, range: Range<Int>) {
    guard file.count - position >= 12 else {
      throw failure(path, file.count, "the file ends before the chunk IEND")
    }
    let length = file.bigEndianWord(at: position)
    let name = file[position + 4..<position + 8]
    guard name.allSatisfy({ (0x41...0x5a).contains($0 & 0xdf) }) else {
      throw failure(path, position + 4, "the bytes \(Array(name)) are not the name of a chunk")
    }
    let kind = String(decoding: name, as: UTF8.self)
    guard length <= file.count - position - 12 else {
      throw failure(
        path, position, "the chunk \(kind) declares \(length) bytes, but there are \(file.count - position - 12)")
    }
    // The checksum covers the name and the data.
    let checksum = file.withUnsafeBufferPointer { buffer in
      crc32(0, buffer.baseAddress! + position + 4, UInt32(length + 4))
    }
    guard checksum == UInt(file.bigEndianWord(at: position + 8 + length)) else {
      throw failure(path, position, "the checksum of the chunk \(kind) is wrong")
    }
    return (kind, position..<position + 12 + length)
  }

  private static func failure(_ path: String, _ offset: Int, _ reason: String) -> DataError {
    .malformed(
      path: path, format: "PNG", location: .offset(offset), reason: reason, remedy: "copy or download the file again")
  }
}
