// swift-tools-version: 6.2
import PackageDescription

/// One row per Swift module of the library products: its name and the modules that it imports. `LayeringTests` compares
/// the rows with the sources.
let modules: [(name: String, dependencies: [String])] = [
  ("ApusSystem", ["CSHA256"]),
  ("ApusDevice", ["ApusSystem", "Kernels"]),
  ("ApusCPU", ["ApusSystem", "ApusDevice", "ApusCSIMD", "COpenBLAS"]),
  ("ApusGPU", ["ApusSystem", "ApusDevice", "Kernels", "COpenCL", "CCUDA"]),
  ("ApusBackends", ["ApusDevice", "ApusCPU", "ApusGPU"]),
  ("ApusTensor", ["ApusSystem", "ApusDevice"]),
  ("ApusNN", ["ApusSystem", "ApusTensor"]),
  ("ApusData", ["ApusSystem", "CZlib", "CPNG", "CTurboJPEG"]),
  ("ApusReports", ["ApusSystem", "ApusData"]),
  ("ApusTraining", ["ApusSystem", "ApusTensor", "ApusNN", "ApusData", "ApusReports"]),
  ("ApusModels", ["ApusSystem", "ApusTensor", "ApusNN", "ApusData"]),
  ("Apus", ["ApusTensor", "ApusNN", "ApusData", "ApusReports", "ApusTraining", "ApusModels"]),
  ("ApusRuns", ["Apus", "ApusSystem"]),
]

/// The named modules and all their direct and indirect dependencies. SwiftPM compiles a module again only if the module
/// file of a direct dependency has changed. The module file of a module that only re-exports others never changes, so
/// the modules below it are direct dependencies too.
func closure(_ names: [String]) -> [Target.Dependency] {
  var found: [String] = []
  var rest = names
  while let name = rest.popLast() {
    guard !found.contains(name) else { continue }
    found.append(name)
    rest += modules.first { $0.name == name }?.dependencies ?? []
  }
  return found.sorted().map { .target(name: $0) }
}

/// The programs in Examples, which `ExampleTests` runs.
let examples = [
  "DCGAN", "DQN", "Seq2Seq", "MAML", "GCN", "SkipGram", "FineTuning", "Accumulation", "HalfInference", "ContinueRun",
]

let swift: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

let package = Package(
  name: "Apus",
  // The products list the devices (ApusBackends) as a separate target. Only the linker connects the devices with
  // ApusTensor, so that no module above ApusTensor waits for the compilation of a device.
  products: [
    .library(name: "Apus", targets: ["Apus", "ApusRuns", "ApusBackends"]),
    .executable(name: "apus", targets: ["ApusCLI", "ApusBackends"]),
  ],
  targets: [
    .systemLibrary(name: "COpenBLAS", path: "Sources/COpenBLAS", pkgConfig: "openblas"),
    .systemLibrary(name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib"),
    .systemLibrary(name: "CPNG", path: "Sources/CPNG", pkgConfig: "libpng"),
    .systemLibrary(name: "CTurboJPEG", path: "Sources/CTurboJPEG", pkgConfig: "libturbojpeg"),
    .target(name: "Kernels", path: "Kernels"),
    // SwiftPM starts jobs in descending order of their names. The name of this target begins with `Apus`, so that its
    // compilation, which takes long, starts after the modules for which others wait.
    .target(name: "ApusCSIMD", dependencies: ["Kernels"]),
    .target(name: "COpenCL"),
    .target(name: "CCUDA"),
    .target(name: "CSHA256"),
  ]
    + modules.map {
      .target(
        name: $0.name, dependencies: closure($0.dependencies), swiftSettings: swift,
        linkerSettings: [.linkedLibrary("m")])
    }
    + [
      .target(
        name: "ApusBenchmarks", dependencies: closure(["Apus"]), path: "Benchmarks/ApusBenchmarks",
        swiftSettings: swift),
      .executableTarget(
        name: "ApusCLI", dependencies: closure(["ApusRuns", "ApusBenchmarks"]), swiftSettings: swift),
      .target(name: "CTestEnvironment", path: "Tests/CTestEnvironment"),
      .target(
        name: "ApusTestSupport", dependencies: closure(["Apus", "ApusBackends"]) + ["CTestEnvironment"],
        path: "Tests/ApusTestSupport", swiftSettings: swift),
    ]
    + examples.map {
      .executableTarget(
        name: $0, dependencies: closure(["ApusRuns", "ApusBackends"]), path: "Examples/\($0)", swiftSettings: swift,
        linkerSettings: [.linkedLibrary("m")])
    }
    + (modules.map(\.name) + ["ApusBenchmarks", "ApusCLI"]).map {
      .testTarget(
        name: $0 + "Tests",
        dependencies: closure([$0, ["Apus", "ApusCLI"].contains($0) ? "ApusRuns" : "Apus", "ApusTestSupport"]),
        path: "Tests/\($0)Tests", swiftSettings: swift)
    },
  cLanguageStandard: .gnu2x
)
