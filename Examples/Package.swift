// swift-tools-version: 6.2
import PackageDescription

// To start your own program, copy this manifest, list only your program's folder, and replace `..` by the path of a
// clone of Apus.
let package = Package(
  name: "Examples",
  dependencies: [.package(name: "Apus", path: "..")],
  targets: [
    "DCGAN", "DQN", "Seq2Seq", "MAML", "GCN", "SkipGram", "FineTuning", "Accumulation", "HalfInference", "ContinueRun",
  ].map {
    .executableTarget(name: $0, dependencies: [.product(name: "Apus", package: "Apus")], path: $0)
  }
)
