import ApusSystem

/// The contents of a folder in an order that does not depend on the file system: sorted by the bytes of the names.
///
/// Hidden files and folders are skipped. Symbolic links are followed, but the search for images skips a link to a
/// folder that contains the link. A link to a target outside of `root` is an error.
struct FolderListing {
  /// The path of the folder as the caller passed it, without trailing slashes.
  let root: String
  private let canonicalRoot: String

  private static let extensions: Set<String> = ["png", "jpg", "jpeg"]

  /// - Throws: when there is no such folder.
  init(_ path: String) throws(DataError) {
    var root = path
    while root.count > 1, root.hasSuffix("/") { root.removeLast() }
    self.root = root
    canonicalRoot = try reportingFiles { () throws(FileError) in try FileSystem.canonicalPath(root) }
    guard FileSystem.isDirectory(root) else {
      throw .inputOutput(path: root, operation: "list", reason: "not a folder")
    }
  }

  /// The names of the direct subfolders of a folder.
  /// - Parameter folder: its path relative to the root, empty for the root itself
  func folders(in folder: String) throws(DataError) -> [String] {
    var found: [String] = []
    for entry in try contents(of: folder) {
      guard entry.isNamed else {
        try checkFolder(entry, in: folder)
        continue
      }
      if try item(Self.join(folder, entry.name)).kind == .folder { found.append(entry.name) }
    }
    return found
  }

  /// Whether there is a folder of this name in the root.
  func contains(_ name: String) throws(DataError) -> Bool {
    guard try contents(of: "").contains(where: { $0.name == name && $0.isNamed }) else { return false }
    return try item(name).kind == .folder
  }

  /// The paths of the PNG and JPEG files in a folder and its subfolders, relative to the root.
  func imagePaths(below folder: String) throws(DataError) -> [String] {
    var found: [String] = []
    let start = try item(folder)
    var open = [(path: folder, canonical: start.canonical)]
    // A folder that several links lead to is visited once, so the search ends even if the links form a cycle.
    var seen: Set<String> = [start.canonical]
    while let (path, canonical) = open.popLast() {
      for entry in try contents(of: path) {
        let name = entry.name
        let below = Self.join(path, name)
        guard entry.isNamed else {
          // A file whose name is not UTF-8 cannot be opened. It is listed nevertheless, so that reading it reports the
          // error.
          try checkFolder(entry, in: path)
          if isImage(name) { found.append(below) }
          continue
        }
        let item = try item(below, in: canonical)
        switch item.kind {
        case .folder:
          let holdsItself = canonical == item.canonical || canonical.hasPrefix(item.canonical + "/")
          if !holdsItself, seen.insert(item.canonical).inserted { open.append((below, item.canonical)) }
        case .file where isImage(name): found.append(below)
        case .other where isImage(name):
          throw .inputOutput(path: "\(root)/\(below)", operation: "list", reason: "not a regular file")
        default: break
        }
      }
    }
    return found.sortedArray(by: Self.precedes)
  }

  /// Whether the bytes of `one` precede those of `other` in lexicographic order.
  private static func precedes(_ one: String, _ other: String) -> Bool {
    one.utf8.lexicographicallyPrecedes(other.utf8)
  }

  private static func join(_ folder: String, _ name: String) -> String { folder.isEmpty ? name : "\(folder)/\(name)" }

  private func isImage(_ name: String) -> Bool {
    guard let dot = name.lastIndex(of: ".") else { return false }
    return Self.extensions.contains(name[name.index(after: dot)...].lowercased())
  }

  private func contents(of folder: String) throws(DataError) -> [FileSystem.Entry] {
    try reportingFiles { () throws(FileError) in try FileSystem.contents(of: "\(root)/\(folder)") }
      .filter { !$0.name.hasPrefix(".") }.sortedArray { Self.precedes($0.name, $1.name) }
  }

  /// Throws if an entry whose name is not UTF-8 is a folder. Such a folder cannot be opened, so its images would be
  /// missing without notice.
  private func checkFolder(_ entry: FileSystem.Entry, in folder: String) throws(DataError) {
    guard entry.isDirectory else { return }
    throw .inputOutput(
      path: "\(root)/\(Self.join(folder, entry.name))", operation: "list", reason: "its name is not UTF-8; rename it")
  }

  /// The kind of the file at a path, and its canonical path (without links).
  /// - Parameter parent: the canonical path of the folder that contains the file; `nil` if it is not known. For files
  ///   that are not links, the canonical path is `parent` followed by the name, so the file system need not resolve the
  ///   path.
  private func item(
    _ relative: String, in parent: String? = nil
  ) throws(DataError) -> (kind: FileSystem.Kind, canonical: String) {
    let path = "\(root)/\(relative)"
    let kind = try reportingFiles { () throws(FileError) in try FileSystem.kind(of: path, followsLinks: false) }
    if kind != .link, let parent, let name = relative.split(separator: "/").last {
      return (kind, "\(parent)/\(name)")
    }
    let target = try reportingFiles { () throws(FileError) in try FileSystem.canonicalPath(path) }
    guard target == canonicalRoot || target.hasPrefix(canonicalRoot == "/" ? "/" : canonicalRoot + "/") else {
      throw .unsupported(
        path: path, format: "image folder", reason: "the symbolic link leads to \(target), outside of \(root)",
        remedy: "copy the target of the link into the folder, or use a folder that contains both")
    }
    return (try reportingFiles { () throws(FileError) in try FileSystem.kind(of: path, followsLinks: true) }, target)
  }
}
