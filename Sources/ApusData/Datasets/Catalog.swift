import ApusFiles

/// A data set that can be named: `fashion-mnist`, `mnist:DIR`, …
public struct DatasetDescription: Sendable {
  public let name: String
  /// What follows the name and a colon in a source, for example `DIR`; `nil` when nothing does.
  public let argument: String?
  public let summary: String
  /// `[channels, height, width]`
  public let imageSize: [Int]
  public let classNames: [String]
  /// Where the files are unless a directory is named.
  public let defaultDirectory: String?
  private let read: @Sendable (DatasetDescription, String?) throws(DataError) -> ImageDataset

  init(
    name: String, argument: String?, summary: String, imageSize: [Int], classNames: [String],
    defaultDirectory: String?,
    read: @escaping @Sendable (DatasetDescription, String?) throws(DataError) -> ImageDataset
  ) {
    self.name = name
    self.argument = argument
    self.summary = summary
    self.imageSize = imageSize
    self.classNames = classNames
    self.defaultDirectory = defaultDirectory
    self.read = read
  }

  /// How the data set is written as a source: `mnist:DIR`.
  public var source: String { argument.map { "\(name):\($0)" } ?? name }

  /// Whether the files are where they are expected; `nil` when that depends on what is named.
  public var isInstalled: Bool? {
    if let defaultDirectory { return FileSystem.isDirectory(defaultDirectory) }
    return argument == nil ? true : nil
  }

  fileprivate func load(_ value: String?) throws(DataError) -> ImageDataset { try read(self, value) }
}

extension DatasetDescription {
  /// Every data set, in the order in which they are listed.
  public static let all: [DatasetDescription] = [.fashionMNIST, .mnist, .synthetic]

  /// The data set that a source names, and what the source says behind a colon.
  public static func find(
    _ source: String
  ) throws(DataError) -> (description: DatasetDescription, argument: String?) {
    let parts = source.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let value = parts.count > 1 ? String(parts[1]) : nil
    guard let match = all.first(where: { $0.name == parts[0] }),
      (match.argument == nil) == (value == nil), value != ""
    else {
      throw .unknownSource(source, known: all.map(\.source))
    }
    return (match, value)
  }
}

extension ImageDataset {
  /// Reads the data set that a source names: `fashion-mnist`, `mnist:DIR`, `synthetic`.
  public static func load(_ source: String) throws(DataError) -> ImageDataset {
    let (description, argument) = try DatasetDescription.find(source)
    return try description.load(argument)
  }
}
