extension DatasetDescription {
  /// Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017), as Debian and Ubuntu package it.
  static let fashionMNIST = DatasetDescription(
    name: "fashion-mnist", summary: "60,000 + 10,000 grey images of clothes in 10 classes",
    defaultPath: directory,
    content: .images(size: [1, 28, 28], classNames: classNames) { _, _ throws(DataError) in
      try MNIST.load(
        name: "fashion-mnist", directory: directory, classNames: classNames,
        remedy: "install it with: apt-get install dataset-fashion-mnist; "
          + "for files in another directory use mnist:DIR")
    })

  private static let directory = "/usr/share/datasets/fashion-mnist"
  private static let classNames = [
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
  ]
}
