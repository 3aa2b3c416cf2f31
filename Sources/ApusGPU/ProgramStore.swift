import ApusFiles
import Glibc
import Synchronization

/// Built programs and tables of measurements on disk: one file each, named by the digest of everything it depends on.
///
/// A file is a magic number, the length and the SHA-256 of what follows, then the program. Whatever
/// does not agree is a miss: the program is built again and the file replaced.
struct ProgramStore: Sendable {
  /// Changed whenever the meaning of a key or the layout of a file changes.
  static let version = "apus-kernels-1"
  private static let magic = Array("APUSKRN1".utf8)
  private static let headerSize = 48
  /// No program is near this size; a larger file is not one of ours.
  private static let limit = 256 << 20

  private static let hasFailed = Atomic(false)

  let directory: String

  /// A store in `directory`, which is created where it is missing; `nil`, with a warning, where it is not
  /// safe: programs are run as they are, so no other user may be able to write them.
  init?(directory: String) {
    self.directory = directory
    do throws(FileError) { try FileSystem.createPrivateDirectory(directory) } catch {
      warn("kernels are not cached: \(error)")
      return nil
    }
  }

  /// The name of the program that depends on `parts`.
  static func key(of parts: [String]) -> String {
    var digest = SHA256()
    for part in [version] + parts {
      digest.update(Array("\(part.utf8.count):".utf8))
      digest.update(Array(part.utf8))
    }
    return digest.hexadecimal()
  }

  func path(_ key: String) -> String { "\(directory)/\(key).program" }

  func read(key: String) -> [UInt8]? {
    guard let bytes = try? FileDescriptor.contents(of: path(key), limit: Self.limit),
      bytes.count >= Self.headerSize, Array(bytes[..<8]) == Self.magic
    else { return nil }
    let length = bytes[8..<16].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    let payload = Array(bytes[Self.headerSize...])
    guard length == UInt64(payload.count), Array(bytes[16..<48]) == digest(of: payload, key: key) else {
      return nil
    }
    return payload
  }

  func write(_ program: [UInt8], key: String) {
    var bytes = Self.magic
    bytes.reserveCapacity(program.count + Self.headerSize)
    for shift in stride(from: 0, to: 64, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: program.count >> shift))
    }
    bytes += digest(of: program, key: key)
    bytes += program
    do throws(FileError) { try AtomicFile.write(bytes, to: path(key)) } catch {
      // A full disk is told of once, not for every program.
      guard ProgramStore.hasFailed.exchange(true, ordering: .relaxed) == false else { return }
      warn(
        "kernels are not kept in the cache \(directory.printable()): \(error.reason); they are built again next time")
    }
  }

  /// The digest covers the key, so that a file under another's name is a miss.
  private func digest(of program: [UInt8], key: String) -> [UInt8] {
    var digest = SHA256()
    digest.update(Array(key.utf8))
    program.withUnsafeBytes { digest.update($0) }
    return digest.finalize()
  }
}
