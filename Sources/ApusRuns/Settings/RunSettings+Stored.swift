import Apus

extension RunSettings {
  /// The settings that a run or a checkpoint has stored.
  /// - Throws: `DataError` if the settings are invalid, because a mistake in a file is not a usage error.
  package init(stored: Configuration) throws(DataError) {
    do {
      var arguments = Arguments()
      try arguments.fill(from: stored, RunOptions.declarations)
      try self.init(arguments)
      _ = try DatasetDescription.find(data)
    } catch {
      let text = (error as? OptionError)?.message ?? "\(error)"
      throw DataError.malformed(
        path: stored.origin, format: "configuration", location: .file,
        reason: text.hasPrefix(stored.origin) ? String(text.dropFirst(stored.origin.count + 2)) : text,
        remedy: "undo changes of the file, or use the version of apus that wrote it")
    }
  }
}
