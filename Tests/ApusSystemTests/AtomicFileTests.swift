import ApusTestSupport
import Glibc
import Testing

@testable import ApusSystem

struct AtomicFileTests {
  @Test func replacesAndKeepsTheMode() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/data"
    try AtomicFile.write(Array("old".utf8), to: path)
    #expect(chmod(path, 0o640) == 0)
    try AtomicFile.write(Array("newer".utf8), to: path)
    #expect(try FileDescriptor.contents(of: path) == Array("newer".utf8))
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o640)
    #expect(try FileSystem.entries(of: scratch.path) == ["data"])
  }

  @Test func anAbandonedWriteLeavesTheOldFile() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/data"
    try AtomicFile.write(Array("old".utf8), to: path)
    do {
      let file = try AtomicFile(path: path)
      try file.write([1, 2, 3])
      #expect(try FileSystem.entries(of: scratch.path).count == 2)
    }
    #expect(try FileSystem.entries(of: scratch.path) == ["data"])
    #expect(try FileDescriptor.contents(of: path) == Array("old".utf8))
  }

  @Test func tooLittleSpaceSaysWhatIsNeeded() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/data"
    try AtomicFile.write([7], to: path)
    let needed = 1 << 60
    let error = #expect(throws: FileError.self) { _ = try AtomicFile(path: path, needed: needed) }
    #expect(error?.code == ENOSPC)
    #expect(error?.description.contains("\(needed) bytes are needed") == true)
    #expect(try FileDescriptor.contents(of: path) == [7])
  }

  @Test func onlyRegularFilesAreReadAndReplaced() throws {
    let scratch = try ScratchDirectory()
    #expect(throws: FileError.self) { try AtomicFile.write([1], to: scratch.path) }
    #expect(throws: FileError.self) { try FileDescriptor.contents(of: scratch.path) }
    #expect(throws: FileError.self) { try FileDescriptor.contents(of: "/dev/zero") }
    #expect(mkfifo(scratch.path + "/pipe", 0o600) == 0)
    #expect(throws: FileError.self) { try FileDescriptor.contents(of: scratch.path + "/pipe") }
    let missing = #expect(throws: FileError.self) {
      try FileDescriptor.contents(of: scratch.path + "/none")
    }
    #expect(missing?.code == ENOENT)
  }

  @Test func readingStopsAtTheLimit() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/data"
    try AtomicFile.write([UInt8](repeating: 1, count: 100), to: path)
    #expect(try FileDescriptor.contents(of: path, limit: 100).count == 100)
    #expect(throws: FileError.self) { try FileDescriptor.contents(of: path, limit: 99) }
    #expect(try FileDescriptor(reading: path).bytes(at: 90, count: 50).count == 10)
  }

  @Test func directoriesAreCreatedWithTheirParents() throws {
    let scratch = try ScratchDirectory()
    try FileSystem.createDirectory(scratch.path + "/a/b/c")
    #expect(FileSystem.isDirectory(scratch.path + "/a/b/c"))
    try AtomicFile.write([1], to: scratch.path + "/a/file")
    #expect(throws: FileError.self) { try FileSystem.createDirectory(scratch.path + "/a/file") }
    #expect(throws: FileError.self) { try FileSystem.createDirectory(scratch.path + "/a/file/x") }
  }
}
