extension DatasetDescription {
  /// Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017), as Debian and Ubuntu package it.
  static let fashionMNIST = DatasetDescription(
    name: "fashion-mnist", argument: nil,
    summary: "60,000 + 10,000 grey images of clothes in 10 classes",
    imageSize: [1, 28, 28],
    classNames: [
      "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
      "ankle boot",
    ],
    defaultDirectory: "/usr/share/datasets/fashion-mnist"
  ) { description, _ throws(DataError) in
    try MNIST.load(
      name: description.name, directory: description.defaultDirectory!, classNames: description.classNames,
      remedy: "install it with: apt-get install dataset-fashion-mnist; "
        + "for files elsewhere use --data mnist:DIR")
  }
}
