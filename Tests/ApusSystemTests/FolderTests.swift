import ApusTestSupport
import Glibc
import Testing

@testable import ApusSystem

/// Folders with untrusted contents: names and links in them must not lead out of the folder.
struct FolderTests {
  private let scratch: ScratchDirectory
  private let folder: Folder

  init() throws {
    scratch = try ScratchDirectory()
    folder = try Folder(creating: scratch.file("folder"))
    _ = try scratch.write(Array("precious".utf8), to: "victim")
    try FileSystem.createDirectory(scratch.file("victims/inner"))
    _ = try scratch.write([1], to: "victims/inner/file")
  }

  /// Every way to open, create, read or replace an entry.
  private func uses(_ name: String) -> [() throws -> Void] {
    [
      { _ = try folder.file(reading: name) }, { _ = try folder.file(writing: name) },
      { _ = try folder.file(creating: name) }, { _ = try folder.contents(of: name, limit: 10) },
      { try AtomicFile.write([1], in: folder, name: name) }, { _ = try folder.folder(name) },
      { _ = try folder.folder(creating: name) },
    ]
  }

  @Test func namesStayInTheFolder() throws {
    for name in ["", ".", "..", "../victim", "/etc/passwd", "a/b", "victim\u{0}", "./a", "a/"] {
      for use in uses(name) + [{ try folder.remove(name) }, { try folder.move(name, to: "x") }] {
        let error = #expect(throws: FileError.self, "\(name.debugDescription)") { try use() }
        #expect(error?.description.contains("is not a valid name") == true)
      }
    }
  }

  /// Symbolic links, files with several hard links and pipes are refused.
  @Test func linksAndPipesAreRefused() throws {
    let name = "entry"
    let path = folder.path(of: name)
    let makers: [() -> Int32] = [
      { symlink(scratch.file("victim"), path) }, { symlink(scratch.file("nothing"), path) },
      { symlink(scratch.file("victims"), path) }, { symlink(name, path) }, { link(scratch.file("victim"), path) },
      { mkfifo(path, 0o600) },
    ]
    for make in makers {
      #expect(make() == 0)
      for use in uses(name) { #expect(throws: FileError.self) { try use() } }
      try folder.remove(name)
    }
    #expect(try FileDescriptor.contents(of: scratch.file("victim")) == Array("precious".utf8))
    #expect(!FileSystem.exists(scratch.file("nothing")))
    let refused = #expect(throws: FileError.self) {
      #expect(symlink("x", path) == 0)
      _ = try folder.file(writing: name)
    }
    #expect(refused?.description.contains("a symbolic link") == true)
  }

  @Test func removingFollowsNoLink() throws {
    try FileSystem.createDirectory(folder.path(of: "tree/deeper"))
    #expect(symlink(scratch.file("victims"), folder.path(of: "tree/deeper/link")) == 0)
    #expect(mkfifo(folder.path(of: "tree/pipe"), 0o600) == 0)
    #expect(open(folder.path(of: "tree/") + "x", O_CREAT | O_WRONLY, 0o600) >= 0)
    // A name that is not UTF-8.
    let bytes = folder.path(of: "tree/").utf8CString.dropLast() + [-1, -2, 0]
    #expect(Array(bytes).withUnsafeBufferPointer { mkdir($0.baseAddress!, 0o700) } == 0)
    try folder.remove("tree")
    try folder.remove("tree")
    #expect(try folder.entries().isEmpty)
    #expect(try FileSystem.entries(of: scratch.file("victims/inner")) == ["file"])
  }

  /// An open `Folder` stays the same folder, even if its path leads to another folder later.
  @Test func pathsAreResolvedOnce() throws {
    try FileSystem.createDirectory(scratch.file("other"))
    #expect(rename(scratch.file("folder"), scratch.file("moved")) == 0)
    #expect(symlink(scratch.file("other"), scratch.file("folder")) == 0)
    try AtomicFile.write([7], in: folder, name: "data")
    #expect(try FileSystem.entries(of: scratch.file("other")).isEmpty)
    #expect(try FileDescriptor.contents(of: scratch.file("moved/data")) == [7])
    #expect(try folder.entries() == ["data"])
  }

  @Test func replacedFilesKeepTheirMode() throws {
    try AtomicFile.write([1], in: folder, name: "data")
    #expect(chmod(folder.path(of: "data"), 0o640) == 0)
    try AtomicFile.write([2], in: folder, name: "data")
    var status = stat()
    #expect(stat(folder.path(of: "data"), &status) == 0 && status.st_mode & 0o777 == 0o640)
    #expect(try folder.entries() == ["data"])
  }

  @Test func aRemovedFileIsNoticed() throws {
    let file = try folder.file(writing: "data")
    try file.checkNotRemoved()
    try folder.remove("data")
    #expect(throws: FileError.self) { try file.checkNotRemoved() }
    // A removed folder is not created again.
    #expect(rmdir(folder.path) == 0)
    #expect(throws: FileError.self) { _ = try folder.folder(creating: "inner") }
    #expect(throws: FileError.self) { try AtomicFile.write([1], in: folder, name: "data") }
    #expect(!FileSystem.exists(folder.path))
  }

  /// A folder cannot be locked twice, not even by the same process.
  @Test func aLockIsExclusive() throws {
    guard case .locked(let lock) = try FolderLock.acquire(of: folder) else {
      Issue.record("a free folder cannot be locked")
      return
    }
    for _ in 0..<2 {
      // Two descriptors of the same process exclude each other too.
      guard case .inUse(let process) = try FolderLock.acquire(of: folder) else {
        Issue.record("a folder is locked twice")
        return
      }
      #expect(process == Int(getpid()))
    }
    withExtendedLifetime(lock) {}
  }

  @Test func aLockEndsWithItsHolder() throws {
    _ = try FolderLock.acquire(of: folder)
    guard case .locked = try FolderLock.acquire(of: folder) else {
      Issue.record("a lock outlives its holder")
      return
    }
    // A lock file that is a symbolic link is refused.
    try folder.remove(FolderLock.name)
    #expect(symlink(scratch.file("victim"), folder.path(of: FolderLock.name)) == 0)
    #expect(throws: FileError.self) { _ = try FolderLock.acquire(of: folder) }
    #expect(try FileDescriptor.contents(of: scratch.file("victim")) == Array("precious".utf8))
  }
}
