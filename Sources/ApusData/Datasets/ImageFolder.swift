import ApusSystem

/// Images in one folder per class, as torchvision's `ImageFolder` reads them: `DIR/<class>/…/name.png`.
///
/// PNG and JPEG files are recognized by their extensions, at any depth below the class folder; hidden files are
/// skipped. The files are listed when the folder is opened, sorted by path. Each file is decoded when its image is
/// read.
public struct ImageFolder: ImageSource {
  /// The class names, indexed by class number: the folder names, sorted by their bytes.
  public let classNames: [String]
  /// The class of each image.
  public let labels: [Int32]
  private let root: String
  private let paths: [String]

  /// Lists the images of a folder.
  /// - Throws: when the folder cannot be listed or has no subfolders, a subfolder has no images, or a symbolic link
  ///   leads out of the folder.
  public init(path: String) throws(DataError) { try self.init(FolderListing(path), part: "", classNames: nil) }

  /// Lists the images of a split; `known` are the class names if another split determines them.
  fileprivate init(_ listing: FolderListing, part: String, classNames known: [String]?) throws(DataError) {
    root = listing.root
    let folder = part.isEmpty ? root : "\(root)/\(part)"
    let found = try listing.folders(in: part)
    guard !found.isEmpty else { throw .imageFolder(folder, "it has no class folders") }
    classNames = known ?? found
    let numbers = Dictionary(uniqueKeysWithValues: classNames.enumerated().map { ($1, Int32($0)) })
    var (paths, labels) = ([String](), [Int32]())
    for name in found {
      guard let number = numbers[name] else {
        throw .imageFolder("\(folder)/\(name)", "an unknown class: the training split has no folder \(name.quoted())")
      }
      let own = try listing.imagePaths(below: part.isEmpty ? name : "\(part)/\(name)")
      guard !own.isEmpty else { throw .imageFolder("\(folder)/\(name)", "it has no images (png, jpg, jpeg)") }
      paths += own
      labels += [Int32](repeating: number, count: own.count)
    }
    self.paths = paths
    self.labels = labels
  }

  /// Reads and decodes an image.
  public func image(_ number: Int) throws(DataError) -> Image { try Image(contentsOf: name(of: number)) }

  /// The path of the image file.
  public func name(of number: Int) -> String { "\(root)/\(paths[number])" }
}

extension ImageFolder {
  /// Reads the splits of a folder: `DIR/train` for training, `DIR/val` for validation, `DIR/test` for the test. If only
  /// `DIR/train` and `DIR/val` exist, `DIR/val` is the test split. A folder without `DIR/train`, or with neither
  /// `DIR/val` nor `DIR/test`, is split by `options`.
  static func dataset(_ path: String, _ options: SplitOptions) throws(DataError) -> ImageDataset {
    let listing = try listing(path)
    let (hasTest, hasValidation) = (try listing.contains("test"), try listing.contains("val"))
    guard try hasSplits(listing) else { return try split(listing, options) }
    let train = try ImageFolder(listing, part: "train", classNames: nil)
    let test = try ImageFolder(listing, part: hasTest ? "test" : "val", classNames: train.classNames)
    let validation =
      hasTest && hasValidation ? try ImageFolder(listing, part: "val", classNames: train.classNames) : nil
    return ImageDataset(
      name: path, classNames: train.classNames, train: train, validation: validation, test: test)
  }

  /// Whether a folder has its own training and test splits.
  static func hasSplits(_ path: String) throws(DataError) -> Bool { try hasSplits(listing(path)) }

  private static func hasSplits(_ listing: FolderListing) throws(DataError) -> Bool {
    let (hasTest, hasValidation) = (try listing.contains("test"), try listing.contains("val"))
    return try listing.contains("train") && (hasTest || hasValidation)
  }

  private static func listing(_ path: String) throws(DataError) -> FolderListing {
    guard FileSystem.exists(path) else {
      throw .missing(
        dataset: "image-folder", path: path,
        remedy: "use a folder with one folder of PNG or JPEG files for each class")
    }
    return try FolderListing(path)
  }

  /// Holds out fractions of each class for validation and the test. If `train` is the only folder and has subfolders,
  /// its subfolders are the classes.
  private static func split(_ listing: FolderListing, _ options: SplitOptions) throws(DataError) -> ImageDataset {
    let folders = try listing.folders(in: "")
    let hasClasses = try folders == ["train"] ? !listing.folders(in: "train").isEmpty : false
    let part = hasClasses ? "train" : ""
    let all = try ImageFolder(listing, part: part, classNames: nil)
    let split = Split(labels: all.labels, options)
    guard options.test == 0 || !split.test.isEmpty, options.validation == 0 || !split.validation.isEmpty else {
      throw .tooFew(
        listing.root, "\(all.labels.count) images in \(all.classNames.count) classes are too few to hold some out")
    }
    return ImageDataset(
      name: listing.root, classNames: all.classNames, train: all.part(split.train),
      validation: split.validation.isEmpty ? nil : all.part(split.validation), test: all.part(split.test))
  }
}

extension DataError {
  fileprivate static func imageFolder(_ path: String, _ reason: String) -> DataError {
    .unsupported(
      path: path, format: "image folder", reason: reason,
      remedy: "the folder needs one folder for each class, or train and test (or val) with the same classes")
  }
}

extension DatasetDescription {
  static let imageFolder = DatasetDescription(
    name: "image-folder", argument: "DIR",
    summary: "PNG and JPEG files in train/CLASS and test/CLASS (or val), or in CLASS (a fifth is then held out)",
    content: .images(size: nil, classNames: nil) { folder, split throws(DataError) in
      try ImageFolder.dataset(folder, split)
    })
}
