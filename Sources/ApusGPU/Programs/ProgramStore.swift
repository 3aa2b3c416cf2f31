import ApusDevice
import ApusSystem
import Glibc
import Synchronization

/// Built programs and tuning tables on disk: one file each, named by the digest of everything that the contents depend
/// on. A program here is compiled kernel source, not the elementwise `Program` of a step.
///
/// A file contains a magic number, the length of the payload, a SHA-256 digest of key and payload, and the payload. If
/// the magic number, the length or the digest is wrong, it is a cache miss: `read` returns `nil`, and the next write
/// replaces the file.
struct ProgramStore: Sendable {
  /// Must change whenever the meaning of a key or the layout of a file changes.
  static let version = "apus-kernels-1"
  private static let magic = Array("APUSKRN1".utf8)
  private static let headerSize = 48
  /// The maximum size of a file in bytes, far above the size of any program.
  private static let limit = 256 << 20

  private static let hasFailed = Atomic(false)

  let directory: String

  /// Opens the store in the folder `directory`, which is created if it is missing. Returns `nil`, with a warning, if
  /// the folder cannot be made private: stored programs are executed unchecked, so no other user may be able to write
  /// them.
  init?(directory: String) {
    self.directory = directory
    do throws(FileError) { try FileSystem.createPrivateDirectory(directory) } catch {
      warn("kernels are not cached: \(error)")
      return nil
    }
  }

  /// Returns the key of a file whose contents depend on `parts`.
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
    let length = bytes.littleEndianLong(at: 8)
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
      // Only the first failed write of a process is reported, because a full disk would fail all of them.
      guard ProgramStore.hasFailed.exchange(true, ordering: .relaxed) == false else { return }
      warn(
        "kernels are not stored in the cache \(directory.printable()): \(error.reason); they are built again next time")
    }
  }

  /// Returns the digest of the key and the program. The digest covers the key, so that a renamed file is a cache miss.
  private func digest(of program: [UInt8], key: String) -> [UInt8] {
    var digest = SHA256()
    digest.update(Array(key.utf8))
    program.withUnsafeBytes { digest.update($0) }
    return digest.finalize()
  }
}
