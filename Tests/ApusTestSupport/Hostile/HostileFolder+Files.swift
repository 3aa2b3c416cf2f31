import Foundation

extension HostileFolder {
  /// The file system objects that replace a file or folder of a run. Some link to a `Victims` file or folder, which is
  /// outside of the run and which no command may change.
  private enum Substitute: String, CaseIterable {
    case linkToFile, relativeLinkToFile, linkToFolder, relativeLinkToFolder, linkToNothing, linkToItself, linkToZeros
    case linkToOwnCopy, hardLink, ownHardLink, pipe, socket, device, folder, file

    func put(at place: URL, _ victims: Victims) throws {
      let manager = FileManager.default
      let old = place.appendingPathExtension("old")
      try manager.moveItem(at: place, to: old)
      func link(_ target: String) throws {
        try manager.createSymbolicLink(atPath: place.path, withDestinationPath: target)
      }
      let up = String(repeating: "../", count: place.pathComponents.count - 2)
      switch self {
      case .linkToFile: try link(victims.file.path)
      case .relativeLinkToFile: try link(up + victims.file.path.dropFirst())
      case .linkToFolder: try link(victims.folder.path)
      case .relativeLinkToFolder: try link(up + victims.folder.path.dropFirst())
      case .linkToNothing: try link(victims.nothing.path)
      case .linkToItself: try link(place.lastPathComponent)
      case .linkToZeros: try link("/dev/zero")
      case .linkToOwnCopy: try link(old.lastPathComponent)
      case .hardLink: try manager.linkItem(at: victims.file, to: place)
      case .ownHardLink: try manager.linkItem(at: old, to: place)
      case .pipe: try check(mkfifo(place.path, 0o666))
      case .socket: try bindSocket(at: place)
      // Only root can create a device: other users get a pipe instead.
      case .device: if mknod(place.path, S_IFCHR | 0o666, 1 << 8 | 5) != 0 { try check(mkfifo(place.path, 0o666)) }
      case .folder: try manager.createDirectory(at: place, withIntermediateDirectories: false)
      case .file: try Data("precious\n".utf8).write(to: place)
      }
    }

    private func check(_ status: Int32) throws {
      if status != 0 { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    }

    /// The path may be longer than a socket address allows, so the socket is bound at a short path and moved.
    private func bindSocket(at place: URL) throws {
      let short = "/tmp/apus-\(UUID().uuidString.prefix(8))"
      let number = Foundation.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(number) }
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: short.utf8) }
      let status = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      try check(status)
      try check(rename(short, place.path))
    }
  }

  /// Replaces each file and folder by another object.
  static func replacements(_ layout: RunLayout) -> [HostileFolder] {
    let files = layout.files.flatMap { path, uses in
      Substitute.allCases.filter { $0 != .file }.map { (path, uses, $0) }
    }
    let folders = layout.folders.flatMap { path, uses in
      Substitute.allCases.filter { ![.folder, .hardLink, .ownHardLink].contains($0) }.map { (path, uses, $0) }
    }
    return (files + folders).map { path, uses, substitute in
      HostileFolder(description: "\(path): \(substitute)", refusals: uses) { run, victims in
        try substitute.put(at: run.appending(path: path), victims)
      }
    }
  }

  /// Adds objects to a run folder at paths that a command could write to, follow or remove. The files of the run do not
  /// change, so no command has to refuse the folder.
  static func additions(_ layout: RunLayout) -> [HostileFolder] {
    let names = [
      ".config.json.\(getpid())-0.new", ".report.html.\(getpid())-0.new", "plots/.loss.svg.\(getpid())-0.new",
      "checkpoints/.step-000000002.new", "checkpoints/.step-000000003.new", "checkpoints/step-000000002",
      "checkpoints/step-000000000", "checkpoints/step-999999999", "checkpoints/step--1", "checkpoints/step-+3",
      "checkpoints/step-9223372036854775807", "\(layout.checkpoint)/more", "tensorboard/events.out.tfevents.1",
      "tensorboard/events.out.tfevents.9223372036854775807.x", "tensorboard/events.out.tfevents.9223372036854775806.x",
    ]
    let substitutes: [Substitute] = [.linkToFile, .linkToFolder, .linkToNothing, .hardLink, .pipe]
    return names.flatMap { name in
      substitutes.map { substitute in
        HostileFolder(description: "\(name) added: \(substitute)", refusals: []) { run, victims in
          let place = run.appending(path: name)
          try Data().write(to: place)
          try substitute.put(at: place, victims)
          try? FileManager.default.removeItem(at: place.appendingPathExtension("old"))
        }
      }
    }
  }
}
