extension DatasetDescription {
  /// Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017), as Debian and Ubuntu package it.
  static let fashionMNIST = DatasetDescription(
    name: "fashion-mnist", summary: "60,000 + 10,000 gray images of clothes in 10 classes",
    defaultPath: folder,
    content: .images(size: [1, 28, 28], classNames: classNames) { _, _ throws(DataError) in
      try MNIST.load(
        name: "fashion-mnist", folder: folder, classNames: classNames,
        remedy: "install it with: apt-get install dataset-fashion-mnist; "
          + "for files in another folder use mnist:DIR")
    })

  private static let folder = "/usr/share/datasets/fashion-mnist"
  private static let classNames = [
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
  ]
}
